package auditlog

import (
	"path/filepath"

	"github.com/spf13/pflag"
)

// Off is the value of --audit that stands for no audit log.
const Off = "off"

// Flag defines --audit.
func Flag(flags *pflag.FlagSet, file *string) {
	flags.StringVar(file, "audit", "", "file of the audit log, or off (default: audit/audit.jsonl in the program's folder of the home)")
}

// File returns the file of the audit log that --audit names, "" for none; folder
// is the program's of the home.
func File(flag, folder string) (string, error) {
	switch flag {
	case "":
		return filepath.Join(folder, "audit", "audit.jsonl"), nil
	case Off:
		return "", nil
	}
	return filepath.Abs(flag)
}
