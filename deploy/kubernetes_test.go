package deploy_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"tolem/testkit"

	"go.yaml.in/yaml/v3"
)

// object has the fields of Kubernetes that the manifests use, under the names of its API; another is a mistake.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   metadata
	Spec       spec
}

type metadata struct {
	Name   string
	Labels map[string]string
}

type spec struct {
	// Of a Service, or of what it selects.
	Selector yaml.Node
	Ports    []struct {
		Name       string
		Port       int
		TargetPort string `yaml:"targetPort"`
	}
	// Of a NetworkPolicy.
	PodSelector yaml.Node `yaml:"podSelector"`
	PolicyTypes []string  `yaml:"policyTypes"`
	Ingress     []struct {
		From []struct {
			NamespaceSelector yaml.Node `yaml:"namespaceSelector"`
		}
		Ports []struct{ Port string }
	}
	// Of a StatefulSet or a Deployment.
	ServiceName string `yaml:"serviceName"`
	Replicas    int
	Strategy    struct {
		RollingUpdate struct {
			MaxUnavailable int `yaml:"maxUnavailable"`
			MaxSurge       int `yaml:"maxSurge"`
		} `yaml:"rollingUpdate"`
	}
	Template struct {
		Metadata metadata
		Spec     podSpec
	}
	VolumeClaimTemplates []struct {
		Metadata metadata
		Spec     struct {
			AccessModes []string `yaml:"accessModes"`
			Resources   yaml.Node
		}
	} `yaml:"volumeClaimTemplates"`
	// Of a PodDisruptionBudget.
	MinAvailable int `yaml:"minAvailable"`
}

type podSpec struct {
	AutomountServiceAccountToken  bool      `yaml:"automountServiceAccountToken"`
	TerminationGracePeriodSeconds int       `yaml:"terminationGracePeriodSeconds"`
	TopologySpreadConstraints     yaml.Node `yaml:"topologySpreadConstraints"`
	SecurityContext               struct {
		RunAsNonRoot        bool                  `yaml:"runAsNonRoot"`
		RunAsUser           int                   `yaml:"runAsUser"`
		RunAsGroup          int                   `yaml:"runAsGroup"`
		FSGroup             int                   `yaml:"fsGroup"`
		FSGroupChangePolicy string                `yaml:"fsGroupChangePolicy"`
		SeccompProfile      struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	Containers []container
	Volumes    []struct {
		Name      string
		EmptyDir  *struct{} `yaml:"emptyDir"`
		Projected struct {
			DefaultMode int `yaml:"defaultMode"`
			Sources     []struct {
				ConfigMap struct{ Name string } `yaml:"configMap"`
				Secret    struct {
					Name  string
					Items []struct{ Key, Path string }
				}
			}
		}
	}
}

type container struct {
	Name, Image string
	Args        []string
	Env         []struct{ Name, Value string }
	Ports       []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	StartupProbe   probe `yaml:"startupProbe"`
	LivenessProbe  probe `yaml:"livenessProbe"`
	ReadinessProbe probe `yaml:"readinessProbe"`
	Lifecycle      struct {
		PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
	}
	Resources       yaml.Node
	SecurityContext struct {
		AllowPrivilegeEscalation bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop []string }
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet          struct{ Path, Port string } `yaml:"httpGet"`
	PeriodSeconds    int                         `yaml:"periodSeconds"`
	TimeoutSeconds   int                         `yaml:"timeoutSeconds"`
	FailureThreshold int                         `yaml:"failureThreshold"`
}

// readManifest gives the objects of a file by kind.
func readManifest(t *testing.T, file string) map[string]object {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(read(t, file)))
	decoder.KnownFields(true)
	found := map[string]object{}
	for {
		var o object
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		found[o.Kind] = o
	}
}

func TestKubernetes(t *testing.T) {
	tolem := serve(t)
	common := readManifest(t, "kubernetes/common.yaml")
	workloads := map[string]object{}
	for file, kind := range map[string]string{"kubernetes/sqlite.yaml": "StatefulSet", "kubernetes/postgres.yaml": "Deployment"} {
		o, found := readManifest(t, file)[kind]
		if !found || o.APIVersion != "apps/v1" || len(o.Spec.Template.Spec.Containers) != 1 {
			t.Fatalf("%s has no %s with one container", file, kind)
		}
		workloads[kind] = o
	}
	for kind, o := range workloads {
		t.Run(kind, func(t *testing.T) {
			pod := o.Spec.Template.Spec
			c := pod.Containers[0]
			listeners := map[string]string{"public": tolem.public, "admin": tolem.admin}
			for path, p := range map[string]probe{"/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
				if p.HTTPGet.Path != path {
					t.Errorf("got the probe %+v, want %s", p, path)
				}
			}
			for _, p := range []probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
				if status, body := testkit.Get(t, listeners[p.HTTPGet.Port]+p.HTTPGet.Path); status != 200 {
					t.Errorf("%+v is answered %d %s", p.HTTPGet, status, body)
				}
			}
			if c.StartupProbe.HTTPGet.Path == "/readyz" {
				t.Error("a server with a full disk would be started again for ever")
			}
			env := map[string]string{}
			for _, variable := range c.Env {
				env[variable.Name] = variable.Value
			}
			for _, port := range c.Ports {
				name := map[string]string{"public": "TOLEM_LISTEN", "admin": "TOLEM_ADMIN__LISTEN"}[port.Name]
				if _, listens, _ := strings.Cut(env[name], ":"); listens != itoa(port.ContainerPort) {
					t.Errorf("the port %s is %d, and %s=%s", port.Name, port.ContainerPort, name, env[name])
				}
			}
			if o.Spec.Template.Metadata.Labels["app"] != "tolem" || pod.TerminationGracePeriodSeconds < 20+c.Lifecycle.PreStop.Sleep.Seconds {
				t.Error("the Service does not select it, or it is killed before it has drained")
			}
			if s := c.SecurityContext; pod.AutomountServiceAccountToken || !pod.SecurityContext.RunAsNonRoot || s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem {
				t.Error("it is not hardened")
			}
			data := 0
			for _, volume := range pod.Volumes {
				if volume.Name == "data" && volume.EmptyDir != nil {
					data++
				}
			}
			switch claims := o.Spec.VolumeClaimTemplates; kind {
			case "StatefulSet":
				if o.Spec.Replicas != 1 || len(claims) != 1 || claims[0].Metadata.Name != "data" || data != 0 || env["TOLEM_DATABASE__DSN"] != "/data/tolem.db" {
					t.Error("SQLite has one server, and its file is in a claimed volume")
				}
			case "Deployment":
				if o.Spec.Replicas < 2 || len(claims) != 0 || data != 1 || env["TOLEM_DATABASE__DRIVER"] != "postgres" {
					t.Error("PostgreSQL has several servers, none with a volume of its own")
				}
			}
		})
	}
	service, policy := common["Service"].Spec, common["NetworkPolicy"].Spec
	if common["Service"].Metadata.Name != "tolem" || len(service.Ports) != 2 || len(policy.Ingress) != 2 {
		t.Errorf("got %+v", common)
	}
	if readManifest(t, "kubernetes/postgres.yaml")["PodDisruptionBudget"].Spec.MinAvailable != 1 {
		t.Error("all servers may be drained at once")
	}
}
