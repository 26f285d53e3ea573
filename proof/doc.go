// Package proof holds the real program against a model of it. Its test drives both
// with the same random sequences: everything that can arrive from both platforms,
// operators' steps by commands and by the API, kills and restarts. After each step the
// answers and the books must be the same. Nothing in the program imports it.
package proof
