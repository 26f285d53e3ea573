//go:build !linux

package commands

// takeTurns and interruptOthers are about Linux.
func takeTurns() bool { return false }

func interruptOthers() {}
