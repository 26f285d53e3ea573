package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSystemd lets systemd judge the units, with this test in the place of the program.
func TestSystemd(t *testing.T) {
	need(t, "systemd-analyze", "systemd")
	folder := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	units, err := filepath.Glob("systemd/tolem*.*")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, unit := range units {
		if strings.HasSuffix(unit, ".conf") {
			continue
		}
		text := strings.ReplaceAll(read(t, unit), "/usr/local/bin/tolem", self)
		names = append(names, write(t, filepath.Join(folder, filepath.Base(unit)), text))
	}
	if len(names) != 3 {
		t.Fatalf("got units %v", names)
	}
	t.Run("Verify", func(t *testing.T) {
		// It exits 0 for keys that it does not know, and says so.
		if got := accepts(t, "systemd-analyze", append([]string{"verify", "--man=no"}, names...)...); strings.Contains(got, folder) {
			t.Errorf("got %s", got)
		}
	})
	t.Run("MakeTheUser", func(t *testing.T) {
		users := write(t, filepath.Join(folder, "tolem.conf"), read(t, "systemd/tolem.sysusers.conf"))
		if got := accepts(t, "systemd-sysusers", "--dry-run", users); !strings.Contains(got, "tolem") {
			t.Errorf("got %s", got)
		}
	})
	t.Run("AreHardened", func(t *testing.T) {
		for _, unit := range names {
			if strings.HasSuffix(unit, ".service") {
				accepts(t, "systemd-analyze", "security", "--offline=yes", "--threshold=25", unit) // 2.5 of 10, the less the better
			}
		}
	})
}

// TestUnit compares the unit with the configuration that is installed beside it.
func TestUnit(t *testing.T) {
	unit, config := read(t, "systemd/tolem.service"), read(t, "config.yaml")
	database := regexp.MustCompile(`database: \{dsn: (\S+)\}`).FindStringSubmatch(config)
	asserted := regexp.MustCompile(`(?m)^AssertPathExists=(\S+)$`).FindStringSubmatch(unit)
	if database == nil || asserted == nil || database[1] != asserted[1] {
		t.Errorf("the database is %v, and the unit requires %v", database, asserted)
	}
	if !strings.Contains(unit, "StateDirectory=tolem\n") || !strings.HasPrefix(database[1], "/var/lib/tolem/") {
		t.Error("the database is not in the state directory")
	}
}
