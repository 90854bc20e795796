package cli

import (
	"slices"
	"strings"
)

// handedOn are the variables of ours that a command may get which a program
// runs for the user: none is, or leads to, a secret.
func handedOn() []string {
	return []string{"NETGET_HOME", "NETGET_IDENTITY", "NETGET_LOG_FORMAT", "NETGET_LOG_LEVEL", "NETGET_NETWORK", "NETGET_OUTPUT", "NETGET_REGISTRY"}
}

// ChildEnv returns the environment for a command of the user's: that of the
// process without our own variables, such as NETGET_PASSPHRASE and
// NETGET_STORE, but for those that say where things are.
func (p Process) ChildEnv() []string {
	env := make([]string, 0, len(p.Env))
	for _, variable := range p.Env {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "NETGET_") || slices.Contains(handedOn(), name) {
			env = append(env, variable)
		}
	}
	return env
}

// StartChild calls start, which starts a command of the user's, with the umask
// and the limit of core files that the process itself was started with.
func (p Process) StartChild(start func() error) error {
	if p.given == nil {
		return start()
	}
	return p.given.around(start)
}
