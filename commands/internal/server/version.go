package server

import (
	"runtime/debug"
)

// Version is what the Go toolchain has written into the program: the module's
// version, and the commit that it was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; revision != "" && version == "(devel)" {
		version = revision
		if settings["vcs.modified"] == "true" {
			version += "+dirty"
		}
	}
	return version + " " + info.GoVersion
}
