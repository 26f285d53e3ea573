package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// leastCoverage is the percentage of statements that the tests must reach, of
// each package whose code moves or guards money. The store is many packages, most of
// whose unreached statements return an error of the database.
var leastCoverage = map[string]float64{"tolem/signing": 90, "tolem/topup": 90, "tolem/accountfile": 90, "tolem/store": 88}

// covered are those packages. What is below tolem/store counts as a part of it, but
// for the drivers of SQLite, of which every build has others.
var covered = []string{"tolem/signing", "tolem/topup", "tolem/accountfile", "tolem/store"}

const drivers = "tolem/store/internal/sqlite"

// counts are the patterns of the packages whose statements are counted, whichever
// package's tests run them.
const counts = "./signing,./topup,./accountfile,./store/..."

// partOf is the one of covered that a package is a part of, else the package.
func partOf(name string) string {
	if name != drivers && strings.HasPrefix(name, "tolem/store/") {
		return "tolem/store"
	}
	return name
}

// judgeCoverage counts over all passes that have counted. A build counts in a
// way of its own, so each has its own profile.
func judgeCoverage(print func(string), counters string) error {
	builds, err := filepath.Glob(filepath.Join(counters, "*"))
	if err != nil || len(builds) == 0 {
		return fmt.Errorf("the coverage was not counted: %v", err)
	}
	size, ran := map[string]int{}, map[string]bool{} // statements of a block; whether they ran
	for _, build := range builds {
		profile := build + ".profile"
		if out, err := exec.Command("go", "tool", "covdata", "textfmt", "-i="+build, "-o="+profile).CombinedOutput(); err != nil {
			return fmt.Errorf("go tool covdata: %w\n%s", err, out)
		}
		text, err := os.ReadFile(profile)
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		for lines.Scan() { // file:range, statements, how often they ran
			fields := strings.Fields(lines.Text())
			if len(fields) != 3 {
				continue
			}
			size[fields[0]], _ = strconv.Atoi(fields[1])
			ran[fields[0]] = ran[fields[0]] || fields[2] != "0"
		}
	}
	all, seen := map[string]int{}, map[string]int{}
	for block, n := range size {
		name := partOf(path.Dir(block))
		all[name] += n
		if ran[block] {
			seen[name] += n
		}
	}
	var low []string
	for _, name := range covered {
		share := 0.0
		if all[name] > 0 {
			share = 100 * float64(seen[name]) / float64(all[name])
		}
		print(fmt.Sprintf("%s: %.1f%% of its statements are covered over all passes", name, share))
		if least := leastCoverage[name]; share < least {
			low = append(low, fmt.Sprintf("%s must be at least %.0f%%", name, least))
		}
	}
	if len(low) > 0 {
		return fmt.Errorf("the coverage of %s", strings.Join(low, ", "))
	}
	return nil
}
