package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// dashboard is what Grafana reads of grafana/tolem.json.
type dashboard struct {
	UID           string `json:"uid"`
	Title         string `json:"title"`
	SchemaVersion int    `json:"schemaVersion"`
	Panels        []struct {
		ID      int    `json:"id"`
		Type    string `json:"type"`
		Title   string `json:"title"`
		GridPos struct{ X, Y, W, H int }
		Targets []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Query any    `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, "grafana/tolem.json")), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// expressions are those of the panels, with Grafana's variables replaced as it does.
func (d dashboard) expressions() (all []string) {
	variables := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*")
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			all = append(all, variables.Replace(target.Expr))
		}
	}
	return all
}

func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	t.Run("HasPanelsThatDoNotOverlap", func(t *testing.T) {
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for _, panel := range d.Panels {
			if ids[panel.ID] || panel.Title == "" || panel.Type != "row" && len(panel.Targets) == 0 {
				t.Errorf("panel %d %q: its id is taken, or it has no title or no query", panel.ID, panel.Title)
			}
			ids[panel.ID] = true
			at := panel.GridPos
			if at.W < 1 || at.H < 1 || at.X+at.W > 24 {
				t.Errorf("%s is outside the grid: %+v", panel.Title, at)
			}
			for x := at.X; x < at.X+at.W; x++ {
				for y := at.Y; y < at.Y+at.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s lies on %s", panel.Title, other)
					}
					taken[[2]int{x, y}] = panel.Title
				}
			}
		}
		if d.UID == "" || d.Title == "" || d.SchemaVersion == 0 || len(d.Panels) < 10 {
			t.Errorf("got uid %q, title %q, schema %d, %d panels", d.UID, d.Title, d.SchemaVersion, len(d.Panels))
		}
	})
	t.Run("AsksWhatPrometheusUnderstands", func(t *testing.T) {
		need(t, "promtool", "prometheus")
		type rule struct {
			Record string `yaml:"record"`
			Expr   string `yaml:"expr"`
		}
		type group struct {
			Name  string `yaml:"name"`
			Rules []rule `yaml:"rules"`
		}
		g := group{Name: "dashboard"}
		for i, expr := range d.expressions() {
			g.Rules = append(g.Rules, rule{Record: fmt.Sprintf("panel:%d", i), Expr: expr})
		}
		text, err := yaml.Marshal(map[string][]group{"groups": {g}})
		if err != nil {
			t.Fatal(err)
		}
		accepts(t, "promtool", "check", "rules", write(t, filepath.Join(t.TempDir(), "panels.yml"), string(text)))
	})
	t.Run("SelectsSeriesThatANewServerHas", func(t *testing.T) {
		exposed := series(t, serve(t))
		for _, expr := range d.expressions() {
			found := selector.FindAllStringSubmatch(expr, -1)
			if len(found) == 0 {
				t.Errorf("%s selects nothing", expr)
			}
			for _, m := range found {
				if problem := unmatched(exposed, m[1], m[2]); problem != "" {
					t.Errorf("%s: %s", expr, problem)
				}
			}
		}
	})
}

var (
	selector = regexp.MustCompile(`(\w+)\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
)

// unmatched says why no series of a server is selected; empty if one is. The labels job and instance are Prometheus's.
func unmatched(exposed map[string][]map[string]string, name, matchers string) string {
	if name == "up" {
		return ""
	}
	if len(exposed[name]) == 0 {
		return name + " is not exposed"
	}
series:
	for _, labels := range exposed[name] {
		for _, m := range matcher.FindAllStringSubmatch(matchers, -1) {
			if m[1] == "job" || m[1] == "instance" {
				continue
			}
			value, has := labels[m[1]]
			equal := value == m[3]
			if strings.HasSuffix(m[2], "~") {
				equal = regexp.MustCompile("^(?:" + m[3] + ")$").MatchString(value)
			}
			if !has || equal == strings.HasPrefix(m[2], "!") {
				continue series
			}
		}
		return ""
	}
	return "no series of " + name + " has " + matchers
}

// TestMetrics compares every metric that these files and the documents name with those of a server.
func TestMetrics(t *testing.T) {
	exposed := series(t, serve(t))
	texts := files(t)
	pages, err := filepath.Glob("../docs/*.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md") {
		texts[page] = read(t, page)
	}
	// What begins with tolem_ and is no metric: names of nginx's format and zones.
	own := regexp.MustCompile(`tolem_(messages|people|signs_in|sign_in|public|admin)\b`)
	named := 0
	for file, text := range texts {
		if strings.HasPrefix(file, "nginx/") {
			text = own.ReplaceAllString(text, "")
		}
		for _, name := range regexp.MustCompile(`\btolem_[a-z_]+[a-z]\b`).FindAllString(text, -1) {
			named++
			_, isHistogram := exposed[name+"_bucket"]
			if len(exposed[name]) == 0 && !isHistogram {
				t.Errorf("%s names %s, which is not exposed", file, name)
			}
		}
	}
	if named < 100 {
		t.Errorf("found only %d names", named)
	}
}

func TestPrometheus(t *testing.T) {
	need(t, "promtool", "prometheus")
	folder := t.TempDir()
	config := write(t, filepath.Join(folder, "prometheus.yml"), read(t, "prometheus/prometheus.yml"))
	write(t, filepath.Join(folder, "alerts.yml"), read(t, "../docs/alerts.yml"))
	if got := accepts(t, "promtool", "check", "config", config); !strings.Contains(got, "rules found") {
		t.Errorf("it loads no rules: %s", got)
	}
	var read struct {
		Scrape []struct {
			Job string `yaml:"job_name"`
		} `yaml:"scrape_configs"`
	}
	text, err := os.ReadFile(config)
	if err == nil {
		err = yaml.Unmarshal(text, &read)
	}
	if err != nil || len(read.Scrape) != 1 || read.Scrape[0].Job != "tolem" {
		t.Errorf("got %+v, %v; the rules select the job tolem", read, err)
	}
}

func TestAlertmanager(t *testing.T) {
	need(t, "amtool", "prometheus-alertmanager")
	// bot_token_file is of Alertmanager 0.26, and Debian 12 has 0.25.
	text := replaced(t, read(t, "alertmanager/alertmanager.yml"), "bot_token_file: /etc/alertmanager/telegram-token", "bot_token: none")
	config := write(t, filepath.Join(t.TempDir(), "alertmanager.yml"), text)
	accepts(t, "amtool", "check-config", config)
	var alerts struct {
		Groups []struct {
			Rules []struct {
				Alert  string
				Labels map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "../docs/alerts.yml")), &alerts); err != nil {
		t.Fatal(err)
	}
	// Every severity of the rules has its own receiver.
	severities := map[string]bool{}
	for _, group := range alerts.Groups {
		for _, rule := range group.Rules {
			severities[rule.Labels["severity"]] = true
		}
	}
	if len(severities) != 2 {
		t.Errorf("got severities %v", severities)
	}
	for severity := range severities {
		got := accepts(t, "amtool", "config", "routes", "test", "--config.file="+config, "--verify.receivers="+severity, "severity="+severity)
		if !strings.Contains(got, severity) {
			t.Errorf("severity %s goes to %s", severity, got)
		}
	}
}
