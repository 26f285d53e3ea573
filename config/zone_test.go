package config_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tolem/config"
)

// Go reads the system's zone data once a process, so a system with old data
// needs a process of its own: this test again, told by a variable.
func TestAWarningTellsThatTheSystemsZoneDataAreOthersThanOurs(t *testing.T) {
	const child = "TOLEM_TEST_OLD_ZONES"
	if os.Getenv(child) == "" {
		data, err := os.ReadFile("../calendar/testdata/Almaty-before-2024")
		if err != nil {
			t.Fatal(err)
		}
		system := t.TempDir()
		if err := os.Mkdir(filepath.Join(system, "Asia"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(system, "Asia", "Almaty"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		command.Env = append(os.Environ(), child+"=1", "ZONEINFO="+system)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	for zone, want := range map[string]bool{"Asia/Almaty": true, "Asia/Bishkek": false} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		text := "timezone: " + zone + "\njetpay: {projects: [{id: 7, secrets: [secret]}]}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, warnings, err := config.Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(warnings, "\n")
		if strings.Contains(got, "from 2024-02-29 on the system has +06:00, this program +05:00") != want {
			t.Errorf("%s: got warnings %q", zone, got)
		}
	}
}
