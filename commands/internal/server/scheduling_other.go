//go:build !linux

package server

// useBatchScheduling and useNormalScheduling are about Linux.
func useBatchScheduling() bool { return false }

func useNormalScheduling() {}
