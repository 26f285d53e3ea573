package config

import (
	"os"
	"path/filepath"
)

// locateFiles finds the files that the configuration names by a relative path: in the working directory, else beside the
// configuration file. One that is in neither place keeps its name, for the rule that reads it to complain about.
func (c *Config) locateFiles(folder string) {
	names := []*string{&c.Demo.Accounts, &c.Demo.Payments, &c.Database.DSNFile, &c.Accounts.HTTP.SecretFile}
	for i := range c.Admin.Tokens {
		names = append(names, &c.Admin.Tokens[i].TokenFile)
	}
	for _, project := range c.JetPay.Projects {
		for i := range project.SecretFiles {
			names = append(names, &project.SecretFiles[i])
		}
	}
	for _, endpoint := range c.Notify {
		for i := range endpoint.SecretFiles {
			names = append(names, &endpoint.SecretFiles[i])
		}
	}
	for i := range c.HighHelp.Projects {
		request, alert := &c.HighHelp.Projects[i].RequestKey, &c.HighHelp.Projects[i].AlertKey
		names = append(names, &request.PrivateKeyFile, &request.SecretFile, &alert.PublicKeyFile, &alert.SecretFile)
	}
	for _, name := range names {
		*name = locate(folder, *name)
	}
}

func locate(folder, name string) string {
	if name == "" || filepath.IsAbs(name) || exists(name) {
		return name
	}
	if beside := filepath.Join(folder, name); exists(beside) {
		return beside
	}
	return name
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
