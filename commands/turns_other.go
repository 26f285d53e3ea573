//go:build !linux

package commands

// takeTurns and interruptOthers are about Linux.
func takeTurns() {}

func interruptOthers() {}
