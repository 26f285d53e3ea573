package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
)

// Load reads the file at path, applies the TOLEM_ variables of environ (in the form of os.Environ), which take
// precedence, reads the secret files and checks everything. Files that are named by a relative path are looked for in
// the working directory, then beside the configuration file; the path in database.dsn is relative to the working
// directory.
//
// Warnings are for the operator and do not prevent a start; they are returned with or without an error. The error is
// always a *[Problems]; the configuration is then nil.
func Load(path string, environ []string) (config *Config, warnings []string, err error) {
	return LoadFor(AllSecrets, path, environ)
}

// LoadFor is [Load] for who needs only some of the secrets. The files of the other kinds are not opened: those secrets
// are unset in the configuration, and absent ones are no problem.
func LoadFor(needs Secrets, path string, environ []string) (config *Config, warnings []string, err error) {
	problems := &Problems{}
	data, err := readBounded(path, maxFile)
	if err != nil {
		todo := "name the configuration file with --config or TOLEM_CONFIG"
		if errors.Is(err, fs.ErrPermission) {
			todo = advice(err, "configuration")
		}
		problems.add(Problem{Key: fileName(path), Text: err.Error() + "; " + todo})
		return nil, nil, problems
	}

	layers := koanf.New(".")
	reader := &reader{problems: problems, origins: map[string]string{}}
	variables := &environment{known: variables("", reflect.TypeFor[Config]()), reader: reader}
	// The layers report what is wrong with them to problems; koanf itself finds nothing to complain about.
	file := &file{name: fileName(path), reader: reader}
	if err := layers.Load(rawbytes.Provider(data), file); err != nil {
		return nil, nil, broken(err)
	}
	if err := layers.Load(env.Provider(".", env.Opt{
		Prefix:        envPrefix,
		TransformFunc: variables.read,
		EnvironFunc:   func() []string { return lastOfEach(environ) },
	}), nil); err != nil {
		return nil, nil, broken(err)
	}
	if file.unreadable {
		return nil, variables.warnings, problems // every rule would complain
	}

	config, err = decode(layers)
	if err != nil {
		return nil, nil, broken(err)
	}
	config.locateFiles(filepath.Dir(path))
	rules := &rules{needs: needs, config: config, problems: problems, origins: reader.origins, warnings: variables.warnings}
	rules.check()
	if err := problems.orNil(); err != nil {
		return nil, rules.warnings, err
	}
	return config, rules.warnings, nil
}

// broken reports a fault of this package: what has passed the reader always fits. The cause may hold values and is not
// shown.
func broken(err error) error {
	return &Problems{List: []Problem{{Key: "configuration", Text: fmt.Sprintf("cannot be decoded; this is a fault of the program (%T)", err)}}}
}

// fileName is the path in a form that may begin a line.
func fileName(path string) string {
	if path == "" {
		return `""`
	}
	if quoted := fmt.Sprintf("%q", path); quoted != `"`+path+`"` {
		return quoted
	}
	return path
}

// lastOfEach drops all but the last of the variables that are set twice, as os/exec does, and keeps the order.
func lastOfEach(environ []string) []string {
	var kept []string
	seen := map[string]bool{}
	for _, entry := range slices.Backward(environ) {
		name, _, _ := strings.Cut(entry, "=")
		if seen[name] {
			continue
		}
		seen[name] = true
		kept = append(kept, entry)
	}
	slices.Reverse(kept)
	return kept
}

// hide is the decode hook for secrets. They are plain texts until here, because koanf copies its values deeply and
// would lose unexported fields.
func hide(_, to reflect.Type, value any) (any, error) {
	if text, ok := value.(string); ok && to == secretType {
		return NewSecret(text), nil
	}
	return value, nil
}

// decode puts the layers over the defaults.
func decode(layers *koanf.Koanf) (*Config, error) {
	config := Default()
	config.HighHelp.Methods = nil // a list is replaced, not mixed with the default
	err := layers.UnmarshalWithConf("", config, koanf.UnmarshalConf{
		Tag:           "yaml",
		DecoderConfig: &mapstructure.DecoderConfig{DecodeHook: hide, ErrorUnused: true, Result: config},
	})
	if err != nil {
		return nil, err
	}
	for i := range config.JetPay.Projects {
		config.JetPay.Projects[i].defaultMethods()
	}
	if config.HighHelp.Methods == nil {
		config.HighHelp.Methods = DefaultHighHelpMethods()
	}
	return config, nil
}
