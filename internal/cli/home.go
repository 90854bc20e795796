package cli

import "path/filepath"

// A Home is the folder that holds everything of the three programs
// (docs/cli.md, "Home"). The zero Home is none.
type Home string

// DefaultHome returns the home of a process that names none:
// /var/lib/netget for root, else $XDG_DATA_HOME/netget, which is by default
// ~/.local/share/netget. It is "" if the environment has none of them.
func DefaultHome(p Process) Home {
	if p.UID == 0 {
		return "/var/lib/netget"
	}
	if data := p.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) { // others are to be ignored, says XDG
		return Home(filepath.Join(data, "netget"))
	}
	if user := p.Getenv("HOME"); user != "" {
		return Home(filepath.Join(user, ".local", "share", "netget"))
	}
	return ""
}

// CA returns the folder of the certificate authority.
func (h Home) CA() string { return h.Folder("ca") }

// Registry returns the folder of the registry.
func (h Home) Registry() string { return h.Folder("registry") }

// Client returns the folder of the client, its default identity.
func (h Home) Client() string { return h.Folder("client") }

// Dev returns the home that "netget-registry dev" keeps inside this one.
func (h Home) Dev() Home { return Home(h.Folder("dev")) }

// Folder returns the folder of the given name.
func (h Home) Folder(name string) string { return filepath.Join(string(h), name) }

// AdminSocket returns the path of the admin socket of a program's folder.
func AdminSocket(folder string) string { return filepath.Join(folder, "admin.sock") }
