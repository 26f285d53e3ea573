package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// variations are the ways in which compose/compose.yaml says that it is used.
var variations = [][]string{
	{"compose/compose.yaml"},
	{"compose/compose.yaml", "compose/compose.litestream.yaml"},
	{"compose/compose.yaml", "compose/compose.postgres.yaml"},
}

// composeFile has the keys of Compose that these files use; another is a mistake.
type composeFile struct {
	Services map[string]composeService
	Volumes  map[string]struct{}
}

type composeService struct {
	Image       string
	Build       struct{ Context string }
	Command     []string
	User        string
	Environment map[string]string
	Volumes     []string
	Ports       []string
	ReadOnly    bool                                  `yaml:"read_only"`
	CapDrop     []string                              `yaml:"cap_drop"`
	SecurityOpt []string                              `yaml:"security_opt"`
	StopGrace   string                                `yaml:"stop_grace_period"`
	ShmSize     string                                `yaml:"shm_size"`
	Restart     string                                `yaml:"restart"`
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck struct {
		Test              []string
		Interval, Timeout string
		StartPeriod       string `yaml:"start_period"`
		Retries           int
	}
	Logging struct {
		Driver  string
		Options map[string]string
	}
}

func readCompose(t *testing.T, file string) (c composeFile) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(read(t, file)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return c
}

func TestCompose(t *testing.T) {
	t.Run("IsAccepted", func(t *testing.T) {
		command := []string{"docker-compose"}
		if exec.CommandContext(t.Context(), "docker", "compose", "version").Run() == nil {
			command = []string{"docker", "compose"}
		} else if _, err := exec.LookPath(command[0]); err != nil {
			t.Skip("docker compose is missing (Debian: docker-compose)") // make test-all installs it
		}
		for _, files := range variations {
			args := slices.Clone(command[1:])
			for _, file := range files {
				args = append(args, "-f", file)
			}
			accepts(t, command[0], append(args, "config", "-q")...)
		}
	})
	t.Run("MountsFilesThatExist", func(t *testing.T) {
		for _, files := range variations {
			named := map[string]bool{}
			for _, file := range files {
				for name := range readCompose(t, file).Volumes {
					named[name] = true
				}
			}
			for _, file := range files {
				for name, service := range readCompose(t, file).Services {
					for _, volume := range service.Volumes {
						source, _, _ := strings.Cut(volume, ":")
						if !strings.ContainsAny(source, "./") {
							if !named[source] {
								t.Errorf("%s: the volume %s of %s is not declared", file, source, name)
							}
							continue
						}
						// Secrets are made by the operator, as docs/deploy.md says.
						if secret, is := strings.CutPrefix(source, "./secrets/"); is {
							if !strings.Contains(read(t, "../docs/deploy.md"), "secrets/"+secret) {
								t.Errorf("docs/deploy.md does not say how %s is made", source)
							}
						} else if strings.HasPrefix(source, ".") {
							if _, err := os.Stat(filepath.Join("compose", source)); err != nil {
								t.Error(err)
							}
						} else if !strings.Contains(read(t, "../docs/deploy.md"), source) {
							t.Errorf("docs/deploy.md does not say how %s is made", source)
						}
					}
				}
			}
		}
	})
	t.Run("PublishesOnLoopbackOnly", func(t *testing.T) {
		for _, files := range variations {
			for name, service := range readCompose(t, files[len(files)-1]).Services {
				for _, port := range service.Ports {
					if !strings.HasPrefix(port, "127.0.0.1:") {
						t.Errorf("%s publishes %s", name, port)
					}
				}
			}
		}
	})
}
