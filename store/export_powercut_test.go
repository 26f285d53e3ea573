package store

import (
	"testing"
	"time"
)

// CheckpointOften lets stores that are opened from now on copy the write-ahead log
// into the database all the time, and begin it afresh.
func CheckpointOften(t *testing.T) {
	before := checkpoints
	t.Cleanup(func() { checkpoints = before })
	checkpoints.Every, checkpoints.PassiveEvery, checkpoints.RestartPages = 3*time.Millisecond, 10*time.Millisecond, 150
}
