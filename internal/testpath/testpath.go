// Package testpath gives the forms that a path can take in a request without
// becoming another resource, or so that a server might think it had.
package testpath

import (
	"fmt"
	"path"
	"strings"
)

// Forms returns request targets (RFC 9112 section 3.2) by what was done to the
// normal form of a path, such as "/v1/bundle". A server decides about each as
// about the normal form, or knows no such resource.
func Forms(normal string) map[string]string {
	dir, base := path.Split(normal)
	up := strings.TrimSuffix(dir, "/")
	code := fmt.Sprintf("%02x", base[0])
	return map[string]string{
		"a slash before":               "/" + normal,
		"a slash within":               dir + "/" + base,
		"slashes behind":               normal + "//",
		"a slash behind":               normal + "/",
		"a dot":                        dir + "./" + base,
		"a dot behind":                 normal + "/.",
		"dots":                         dir + "x/../" + base,
		"dots behind":                  normal + "/x/..",
		"dots above the top":           "/../.." + normal,
		"an encoded dot":               dir + "%2e/" + base,
		"encoded dots":                 dir + "x/%2e%2e/" + base,
		"encoded dots in both cases":   dir + "x/%2E%2e/" + base,
		"half encoded dots":            dir + "x/.%2e/" + base,
		"dots encoded twice":           dir + "x/%252e%252e/" + base,
		"an encoded slash":             up + "%2f" + base,
		"an encoded slash, upper case": up + "%2F" + base,
		"an encoded slash before":      "/%2f" + normal[1:],
		"an encoded slash behind":      normal + "%2f",
		"a slash encoded twice":        up + "%252f" + base,
		"encoded slashes around dots":  dir + "x%2f..%2f" + base,
		"upper case":                   strings.ToUpper(normal),
		"one letter in upper case":     dir + strings.ToUpper(base[:1]) + base[1:],
		"parameters behind":            normal + ";x=1",
		"parameters before":            dir + ";x=1/" + base,
		"parameters of dots":           dir + "x/..;/" + base,
		"NUL behind":                   normal + "%00",
		"NUL before":                   dir + "%00" + base,
		"NUL and an ending":            normal + "%00.json",
		"an ending":                    normal + ".json",
		"a point behind":               normal + ".",
		"an encoded letter":            dir + "%" + code + base[1:],
		"a letter encoded twice":       dir + "%25" + code + base[1:],
		"an encoded letter of the top": "/%" + fmt.Sprintf("%02x", normal[1]) + normal[2:],
		"an empty query":               normal + "?",
		"dots in a query":              normal + "?/../../x",
		"a path in a query":            normal + "?/v1/renew",
		"everything in a query":        "/?" + normal,
		"an encoded question mark":     normal + "%3fx=1",
		"a fragment":                   normal + "#x",
		"a path in a fragment":         normal + "#/x",
		"an encoded fragment":          normal + "%23x",
		"backslashes":                  strings.ReplaceAll(normal, "/", `\`),
		"a backslash":                  dir + `\` + base,
		"dots and backslashes":         dir + `x\..\` + base,
		"encoded backslashes":          dir + "x%5c..%5c" + base,
		"no slash before":              normal[1:],
		"a space behind":               normal + "%20",
		"a line end behind":            normal + "%0d%0aX:%20y",
		"an overlong dot":              dir + "x/%c0%ae%c0%ae/" + base,
		"a wide dot":                   dir + "x/%ef%bc%8e%ef%bc%8e/" + base,
		"a broken escape":              normal + "%",
		"an escape of no number":       normal + "%zz",
		"an absolute URL":              "https://x" + normal,
		"an absolute URL with dots":    "https://x/x/.." + normal,
		"an absolute URL of plain":     "http://x" + normal,
		"an absolute URL of a user":    "https://a:b@x" + normal,
		"an absolute URL of no host":   "https://" + normal,
		"a URL without slashes":        "https:" + normal,
		"a URL of another kind":        "file://" + normal,
		"an asterisk":                  "*",
	}
}
