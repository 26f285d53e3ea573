package commands_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"tolem/store"
	"tolem/storetest"
	"tolem/testkit"
)

// TestAFullDiskIsSeenInReadinessAndMetricsAndIsNoReasonToRestart serves from a
// small disk of its own, and fills it down to below the limit.
func TestAFullDiskIsSeenInReadinessAndMetricsAndIsNoReasonToRestart(t *testing.T) {
	storetest.OnlySQLite(t, "its disk is its own")
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=300m"); err != nil {
		t.Skipf("a disk of the test's own: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	s := newShopOn(t, store.Options{Path: filepath.Join(disk, "tolem.db")})
	r := s.serve(t)
	defer r.end(t) // before the disk goes
	gauge := func(name string) float64 {
		t.Helper()
		_, metrics := testkit.Get(t, r.admin+"/metrics")
		found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(metrics)
		if found == nil {
			t.Fatalf("there is no %s", name)
		}
		value, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	if free, least := gauge("tolem_disk_free_bytes"), gauge("tolem_disk_min_free_bytes"); least != 256<<20 || free < least || free > 300<<20 {
		t.Errorf("got %v free, limit %v", free, least)
	}
	if status, _ := testkit.Get(t, r.admin+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz: got %d before the disk is full", status)
	}
	if err := os.WriteFile(filepath.Join(disk, "filler"), make([]byte, 60<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _ := testkit.Get(t, r.admin+"/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz: got %d on a full disk", status)
	}
	contains(t, "the log", r.lines.String(), "MiB are free on the disk of the database, it needs 256 MiB")
	if free, least := gauge("tolem_disk_free_bytes"), gauge("tolem_disk_min_free_bytes"); free >= least {
		t.Errorf("got %v free, limit %v", free, least)
	}
	if status, body := testkit.Get(t, r.public+"/healthz"); status != http.StatusOK || body != "ok" {
		t.Errorf("healthz: got %d %s", status, body)
	}
}
