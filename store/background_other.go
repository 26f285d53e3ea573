//go:build !linux

package store

// inBackground is for Linux alone, where a thread has a priority.
func inBackground() {}
