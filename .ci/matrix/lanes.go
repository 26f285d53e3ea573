package main

import (
	"slices"
	"strings"
)

// pass is one go test.
type pass struct {
	name     string
	env      []string
	flags    []string
	packages []string
	args     []string // behind the packages
	counts   string   // the folder of its coverage counters, empty if it counts nothing
}

// surroundings are what there is on this machine.
type surroundings struct{ gcc, postgres, ci bool }

// database is the one that the tests of a store run on.
type database string

const (
	onSQLite   database = "SQLite"
	onPostgres database = "PostgreSQL"
)

// build is how the program is built: in pure Go, or with the C SQLite. The race
// detector needs C, too.
type build string

const (
	pure build = "pure Go"
	c    build = "C"
	race build = "C, race detector"
)

// of makes a pass.
func of(on database, with build, packages []string, args ...string) pass {
	p := pass{name: string(on) + " (" + string(with) + ")", env: []string{"CGO_ENABLED=0"}, packages: packages, args: args}
	if with != pure {
		p.env = []string{"CGO_ENABLED=1"}
	}
	if with == race {
		p.flags = append(p.flags, "-race")
	}
	if on == onPostgres {
		p.env = append(p.env, "TOLEM_TEST_STORE=postgres")
	}
	return p
}

// long lets tests take as much as is promised, where they take less otherwise.
func long(p pass) pass {
	p.env = append(p.env, "TOLEM_TEST_LONG=1")
	return p
}

// counted lets a pass count what it covers, which costs time. Each build counts
// into a folder of its own.
func counted(p pass, counters string) pass {
	folder := counters + "/" + strings.Map(func(r rune) rune {
		if strings.ContainsRune(" ,()", r) {
			return '-'
		}
		return r
	}, string(p.name[strings.Index(p.name, "("):]))
	p.counts = folder
	p.flags = append(p.flags, "-cover", "-coverpkg="+counts)
	p.args = append(p.args, "-args", "-test.gocoverdir="+folder)
	return p
}

// without returns the packages but for some, and those below them.
func without(packages []string, some ...string) []string {
	return slices.DeleteFunc(slices.Clone(packages), func(name string) bool {
		return slices.ContainsFunc(some, func(one string) bool {
			one = strings.TrimPrefix(one, "./")
			return name == "tolem/"+one || strings.HasPrefix(name, "tolem/"+one+"/")
		})
	})
}

// fewer lets the property tests of ./store, which take minutes under the race
// detector, run less often than in the one pass that has them whole.
func fewer(checks string) string { return "-rapid.checks=" + checks }

// properties are the tests that fewer is about.
const properties = "-run=^(TestMoneyAgainstAModel|TestNotifyWhateverHappens|TestStatement_Adds|TestWhateverHappensTheBookStaysSound)$"

// engine is what is below ./store: the drivers of SQLite, which differ between the
// builds, and what has tests of its own.
const engine = "./store/internal/..."

// goroutines are the tests, by their names, in which several write or wait at once:
// where the race detector finds things.
const goroutines = "-run=AtOnce|Concurrent|While|Beside|Share|Servers|Several"

// alone are the packages without a goroutine, in which nothing can race.
var alone = []string{"./bankfile", "./calendar", "./config", "./docs", "./locale", "./maps", "./openapi", "./payoutfile", "./sheet", "./view"}

// tools are the packages in a folder that no pattern has.
var tools = []string{"./.ci/matrix", "./.ci/faults"}

// onBoth are the passes that have every test once on either database, in pure Go.
// The crash tests of ./commands build and run both drivers of SQLite in every pass.
// The passes count coverage if counters names a folder.
func onBoth(s surroundings, packages []string, counters string) (sqlite, postgres []pass) {
	sqlite = []pass{
		of(onSQLite, pure, []string{"./store"}, fewer("20")),
		of(onSQLite, pure, append(append(without(packages, "./store", "./pgtest"), engine), tools...)),
	}
	if s.postgres {
		postgres = []pass{
			of(onPostgres, pure, []string{"./store"}, fewer("10")),
			of(onPostgres, pure, []string{"./commands", "./handlers", "./fixtures", ".", "./pgtest/...", "./proof", "./watch"}),
		}
	} else {
		sqlite = append(sqlite, of(onSQLite, pure, []string{"./pgtest/..."}))
	}
	if counters != "" {
		for _, list := range [][]pass{sqlite, postgres} {
			for i := range list {
				list[i] = counted(list[i], counters)
			}
		}
	}
	return sqlite, postgres
}

// quickLanes prove every promise once on either database, and let the race detector
// watch where goroutines of ours share something. The lanes run side by side.
func quickLanes(s surroundings, packages []string, counters string) [][]pass {
	sqlite, postgres := onBoth(s, packages, counters)
	if s.gcc {
		sqlite = append(sqlite, of(onSQLite, race, []string{"./store", engine, "./handlers", "./watch", "./highhelp", "./notify"}, goroutines))
	}
	return lanes(sqlite, postgres)
}

// allLanes are those and every other build: the race detector in each package that
// has goroutines, the C SQLite where it is not the same with the race detector. What
// one database has been enough for is not run again on the other.
func allLanes(s surroundings, packages []string, counters string) [][]pass {
	sqlite, postgres := onBoth(s, packages, counters)
	planted := of(onSQLite, pure, []string{"./.ci/faults"}, "-run=^TestEachFaultIsCaught$")
	planted.name, planted.env = "planted faults", append(planted.env, "TOLEM_TEST_FAULTS=1")
	client := of(onSQLite, pure, []string{"./handlers"}, "-run=^TestAGeneratedClient$")
	client.name, client.env = "a generated client", append(client.env, "TOLEM_TEST_CLIENT=1")
	sqlite = append(sqlite, planted, client, of(onSQLite, pure, []string{"./store"}, properties))
	if s.postgres {
		failover := of(onPostgres, pure, []string{"./commands"}, "-run=^TestFailover$")
		failover.name, failover.env = "PostgreSQL that fails over", append(failover.env, "TOLEM_TEST_FAILOVER=1")
		postgres = append(postgres, failover)
	}
	if !s.gcc {
		return lanes(sqlite, postgres)
	}
	sqlite = append(sqlite,
		counted(of(onSQLite, race, []string{"./store"}, fewer("10")), counters), // what only the C SQLite reaches, such as disks that fail
		// Most of these tests wait for programs that they start, which have no race detector.
		of(onSQLite, race, []string{"./commands"}, "-short", goroutines))
	others := []pass{
		// With the race detector SQLite is the C one, too: the first three take less without.
		of(onSQLite, c, []string{"./store"}, "-run=^TestPowerCut$"),
		of(onSQLite, c, []string{engine, "./signing", "."}),
		long(of(onSQLite, c, []string{"./commands"}, "-run", "^(TestReconcile|TestKillsAndNotifications)$")),
		of(onSQLite, race, append(without(packages, append(alone, "./store", "./pgtest", "./commands", "./proof")...), engine, "./commands/internal/...")),
	}
	if s.postgres {
		postgres = append(postgres, of(onPostgres, race, []string{"./store", "./handlers", "./watch"}, goroutines),
			of(onPostgres, race, []string{"./pgtest/..."}))
	}
	return lanes(sqlite, append(postgres, others...))
}

// lanes are those that have a pass.
func lanes(some ...[]pass) [][]pass {
	return slices.DeleteFunc(some, func(lane []pass) bool { return len(lane) == 0 })
}
