package powercut

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// cutOf is what 200 cuts after the steps leave of the file a, "-" where it has no name.
func cutOf(t *testing.T, lie string, steps ...record) map[string]bool {
	t.Helper()
	name := filepath.Join(t.TempDir(), "record")
	var all []byte
	for _, s := range steps {
		all = append(all, s.encode()...)
	}
	if err := os.WriteFile(name, all, 0o600); err != nil {
		t.Fatal(err)
	}
	disk, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if lie != "" {
		disk.Lie(lie)
	}
	disk.Advance(disk.Steps())
	left := map[string]bool{}
	random := rand.New(rand.NewPCG(1, 1))
	folder := t.TempDir()
	for range 200 {
		if _, err := disk.Cut(folder, random); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(folder, "a"))
		if os.IsNotExist(err) {
			content = []byte("-")
		} else if err != nil {
			t.Fatal(err)
		}
		left[string(content)] = true
		if err := os.RemoveAll(filepath.Join(folder, "a")); err != nil {
			t.Fatal(err)
		}
	}
	return left
}

// TestDiskKeepsWhatWasSyncedAndAnyPartOfTheRest has the states that a disk may have.
func TestDiskKeepsWhatWasSyncedAndAnyPartOfTheRest(t *testing.T) {
	open := record{op: opOpen, file: 1, data: []byte("a")}
	write := func(at int64, text string) record { return record{opWrite, 1, at, []byte(text)} }
	begin := func(n int64) record { return record{op: opSync, file: 1, at: n} }
	end := func(n int64) record { return record{op: opSynced, file: 1, at: n} }
	names := []record{{op: opSyncNames, at: 100}, {op: opSyncedName, at: 100}}
	named := append([]record{open}, names...)
	old, new := string(bytes.Repeat([]byte("o"), 1024)), string(bytes.Repeat([]byte("n"), 1024))
	for _, c := range []struct {
		name  string
		lie   string
		steps []record
		want  []string
	}{
		{"AFileWhoseFolderIsNotSyncedMayHaveNoName", "", []record{open, write(0, "x"), begin(1), end(1)}, []string{"-", "x"}},
		{"AnUnsyncedWriteMayBeThereOrNotOrOnlyItsSize", "", append(named[:3:3], write(0, "x")), []string{"", "x", "\x00"}},
		{"ASyncedWriteIsThere", "", append(named[:3:3], write(0, "x"), begin(1), end(1)), []string{"x"}},
		{"ASyncThatHasNotEndedIsNone", "", append(named[:3:3], write(0, "x"), begin(1)), []string{"", "x", "\x00"}},
		{"ASyncCoversWhatWasWrittenBeforeItBegan", "", append(named[:3:3], write(0, "x"), begin(1), write(0, "y"), end(1)), []string{"x", "y"}},
		{"OfTwoSyncsAtOnceEachCoversItsOwn", "", append(named[:3:3], begin(1), write(0, "x"), begin(2), end(2), end(1)), []string{"x"}},
		{"ADiskThatLies", "a", append(named[:3:3], write(0, "x"), begin(1), end(1)), []string{"", "x", "\x00"}},
		{"EachSectorIsOldOrNew", "", append(named[:3:3], write(0, old), begin(1), end(1), write(0, new)),
			[]string{old, new, old[:512] + new[512:], new[:512] + old[512:]}},
		{"ARemovalMayBeForgotten", "", append(named[:3:3], write(0, "x"), begin(1), end(1), record{op: opRemove, data: []byte("a")}), []string{"-", "x"}},
		{"ARemovalThatIsSyncedIsNot", "", append(append(named[:3:3], record{op: opRemove, data: []byte("a")}), names...), []string{"-"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := cutOf(t, c.lie, c.steps...)
			for _, want := range c.want {
				if !got[want] {
					t.Errorf("never %.20q", want)
				}
				delete(got, want)
			}
			for other := range got {
				t.Errorf("%.20q, which no disk leaves", other)
			}
		})
	}
}
