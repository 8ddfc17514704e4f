package main

import (
	"runtime"
	"runtime/debug"
)

type versionCommand struct{}

// Help shows an example.
func (versionCommand) Help() string { return "Example:\n\n    custody version --json" }

// Run shows the version.
func (versionCommand) Run(s *session) error {
	if s.JSON {
		return s.terminal.json(map[string]string{"version": version(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
	}
	s.print("custody %s (%s, %s/%s)", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// version is the module's, or the commit that was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	commit, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+"
		}
	}
	switch v := info.Main.Version; {
	case v != "" && v != "(devel)":
		return v
	case commit != "":
		return "devel-" + commit + dirty
	}
	return "devel"
}
