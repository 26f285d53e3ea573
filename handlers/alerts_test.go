package handlers_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	alertRules = "../docs/alerts.yml"
	alertTests = "../docs/alerts_test.yml"
)

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// alertRule is a rule of docs/alerts.yml.
type alertRule struct {
	Alert, Expr string
	Labels      map[string]string
	Annotations map[string]string
}

func readAlertRules(t *testing.T) (rules []alertRule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alertRule } }
	readYAML(t, alertRules, &file)
	for _, group := range file.Groups {
		rules = append(rules, group.Rules...)
	}
	if len(rules) == 0 {
		t.Fatalf("%s has no rules", alertRules)
	}
	return rules
}

// alertTest is a test of docs/alerts_test.yml.
type alertTest struct {
	Name   string
	Input  []struct{ Series string } `yaml:"input_series"`
	Expect []struct {
		Expr    string
		Samples []any `yaml:"exp_samples"`
	} `yaml:"promql_expr_test"`
}

func readAlertTests(t *testing.T) []alertTest {
	t.Helper()
	var file struct{ Tests []alertTest }
	readYAML(t, alertTests, &file)
	return file.Tests
}

func TestAlerts(t *testing.T) {
	t.Run("FireAsTheirTestsSay", func(t *testing.T) {
		promtool, err := exec.LookPath("promtool")
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("promtool is missing: install the Debian package prometheus")
			}
			t.Skip("promtool is missing (Debian: prometheus)")
		}
		for _, args := range [][]string{{"check", "rules", alertRules}, {"test", "rules", alertTests}} {
			if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
				t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
			}
		}
	})
	t.Run("HaveATestInWhichTheyFire", func(t *testing.T) {
		fires := map[string]bool{}
		named := regexp.MustCompile(`alertname="(\w+)"`)
		for _, test := range readAlertTests(t) {
			for _, expect := range test.Expect {
				m := named.FindStringSubmatch(expect.Expr)
				if m == nil {
					t.Errorf("%s: %s names no alert", test.Name, expect.Expr)
					continue
				}
				fires[m[1]] = fires[m[1]] || len(expect.Samples) > 0
			}
		}
		for _, rule := range readAlertRules(t) {
			if !fires[rule.Alert] {
				t.Errorf("%s fires in no test of %s", rule.Alert, alertTests)
			}
			delete(fires, rule.Alert)
		}
		for name := range fires {
			t.Errorf("%s is tested, and no rule", name)
		}
	})
	t.Run("MakeTheTablesOfTheDocument", func(t *testing.T) {
		tables := map[string]string{} // by severity
		for _, rule := range readAlertRules(t) {
			severity, meaning := rule.Labels["severity"], rule.Annotations["description"]
			if rule.Annotations["summary"] == "" || meaning == "" || strings.ContainsAny(meaning, "|\n") || !slices.Contains([]string{"page", "ticket"}, severity) {
				t.Errorf("%s lacks a summary or a description of one line, or its severity is neither page nor ticket", rule.Alert)
			}
			tables[severity] += "| `" + rule.Alert + "` | " + meaning + " |\n"
		}
		const file = "../docs/metrics.md"
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		severities := []string{"page", "ticket"}
		made := regexp.MustCompile("(?m)^\\| alert \\| meaning \\|\n\\|---\\|---\\|\n(?:\\|.*\n)*").ReplaceAllStringFunc(string(text), func(string) string {
			if len(severities) == 0 {
				t.Fatalf("%s has a third table of alerts", file)
			}
			severity := severities[0]
			severities = severities[1:]
			return "| alert | meaning |\n|---|---|\n" + tables[severity]
		})
		if len(severities) > 0 {
			t.Fatalf("%s has no table of severity %s", file, severities[0])
		}
		switch {
		case made == string(text):
		case os.Getenv("TOLEM_WRITE_TABLES") == "1":
			if err := os.WriteFile(file, []byte(made), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("the tables of alerts in %s are not those of %s: run this test with TOLEM_WRITE_TABLES=1", file, alertRules)
		}
	})
	t.Run("UseSeriesThatAnEmptyServerHas", func(t *testing.T) {
		exposed := exposedSeries(t, notifyingRig(t).scrapedWhole())
		names := map[string]bool{"up": true} // by Prometheus itself
		for series := range exposed {
			name, _, _ := strings.Cut(series, "{")
			names[name] = true
		}
		for _, test := range readAlertTests(t) {
			for _, input := range test.Input {
				name, labels := parseSeries(t, input.Series)
				delete(labels, "job")
				delete(labels, "instance")
				if name != "up" && !exposed[seriesName(name, labels)] {
					t.Errorf("%s: an empty server has no series %s", test.Name, seriesName(name, labels))
				}
			}
		}
		for _, rule := range readAlertRules(t) {
			for _, name := range regexp.MustCompile(`tolem_\w+`).FindAllString(rule.Expr, -1) {
				if !names[name] {
					t.Errorf("%s uses %s, which is not exposed", rule.Alert, name)
				}
			}
		}
	})
}

// exposedSeries are the series in the text of a scrape.
func exposedSeries(t *testing.T, text string) map[string]bool {
	t.Helper()
	series := map[string]bool{}
	for line := range strings.Lines(text) {
		if at := strings.LastIndexByte(line, ' '); at > 0 && line[0] != '#' {
			name, labels := parseSeries(t, line[:at])
			series[seriesName(name, labels)] = true
		}
	}
	return series
}

var oneLabel = regexp.MustCompile(`(\w+)="([^"]*)"`)

func parseSeries(t *testing.T, text string) (name string, labels map[string]string) {
	t.Helper()
	name, rest, _ := strings.Cut(text, "{")
	labels = map[string]string{}
	for _, m := range oneLabel.FindAllStringSubmatch(rest, -1) {
		labels[m[1]] = m[2]
	}
	return name, labels
}

// seriesName is a series with its labels in order.
func seriesName(name string, labels map[string]string) string {
	var list []string
	for label, value := range labels {
		list = append(list, fmt.Sprintf("%s=%q", label, value))
	}
	slices.Sort(list)
	return name + "{" + strings.Join(list, ",") + "}"
}
