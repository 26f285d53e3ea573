//go:build !linux

package commands

// useBatchScheduling and useNormalScheduling are about Linux.
func useBatchScheduling() bool { return false }

func useNormalScheduling() {}
