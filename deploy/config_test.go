package deploy_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"tolem/config"
)

func itoa(n int) string { return strconv.Itoa(n) }

// TestConfiguration loads config.yaml with the variables of each installation.
func TestConfiguration(t *testing.T) {
	type installation struct {
		driver, database string
		env              map[string]string
		warns            bool // that the admin API leaves loopback, where a container's network is what bounds it
	}
	all := map[string]installation{
		"systemd": {driver: config.DriverSQLite, database: "/var/lib/tolem/tolem.db"},
	}
	compose := readCompose(t, "compose/compose.yaml").Services["tolem"].Environment
	onPostgres := map[string]string{}
	for _, env := range []map[string]string{compose, readCompose(t, "compose/compose.postgres.yaml").Services["tolem"].Environment} {
		for name, value := range env {
			onPostgres[name] = value
		}
	}
	all["compose"] = installation{driver: config.DriverSQLite, database: "/data/tolem.db", env: compose, warns: true}
	all["compose on PostgreSQL"] = installation{driver: config.DriverPostgres, env: onPostgres, warns: true}
	for file, kind := range map[string]string{"kubernetes/sqlite.yaml": "StatefulSet", "kubernetes/postgres.yaml": "Deployment"} {
		env := map[string]string{}
		for _, variable := range readManifest(t, file)[kind].Spec.Template.Spec.Containers[0].Env {
			env[variable.Name] = variable.Value
		}
		i := installation{driver: config.DriverSQLite, database: "/data/tolem.db", env: env, warns: true}
		if kind == "Deployment" {
			i.driver, i.database = config.DriverPostgres, ""
		}
		all[file] = i
	}
	for name, i := range all {
		t.Run(name, func(t *testing.T) {
			var env []string
			for variable, value := range i.env {
				env = append(env, variable+"="+value)
			}
			c, warnings, err := config.Load(filepath.Join(install(t), "config.yaml"), env)
			if err != nil {
				t.Fatal(err)
			}
			if c.Environment != config.Production || c.Database.Driver != i.driver || i.database != "" && c.Database.DSN != i.database {
				t.Errorf("got %s, %+v", c.Environment, c.Database)
			}
			if i.warns != (len(warnings) == 1 && strings.Contains(warnings[0], "admin.listen")) || !i.warns && len(warnings) > 0 {
				t.Errorf("got warnings %q", warnings)
			}
		})
	}
}

// TestSecrets: the manifests mount every secret that the configuration names, where it is looked for.
func TestSecrets(t *testing.T) {
	text := read(t, "config.yaml")
	for file, kind := range map[string]string{"kubernetes/sqlite.yaml": "StatefulSet", "kubernetes/postgres.yaml": "Deployment"} {
		for _, volume := range readManifest(t, file)[kind].Spec.Template.Spec.Volumes {
			for _, source := range volume.Projected.Sources {
				mounted := 0
				for _, item := range source.Secret.Items {
					if strings.Contains(text, item.Path) {
						mounted++
					} else if !strings.Contains(read(t, file), "value: "+item.Path) {
						t.Errorf("%s mounts %s, which nothing reads", file, item.Path)
					}
				}
				if source.Secret.Name != "" && mounted != strings.Count(text, " secrets/")+strings.Count(text, "[secrets/") {
					t.Errorf("%s does not mount every secret of config.yaml", file)
				}
			}
		}
	}
}
