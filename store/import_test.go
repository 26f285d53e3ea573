package store_test

import (
	"io"
	"strings"

	"tolem/store"
)

// jsonl is a file of JSON lines that is held in memory.
func jsonl(lines ...string) store.ImportFile { return inMemory(store.FormatJSONL, lines) }

func csvFile(lines ...string) store.ImportFile { return inMemory(store.FormatCSV, lines) }

func inMemory(format store.Format, lines []string) store.ImportFile {
	text := strings.Join(lines, "\n")
	open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	return store.ImportFile{Format: format, Open: open, Size: int64(len(text))}
}
