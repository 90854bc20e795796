//go:build scan

package main_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testdrill"
)

// accepted says of what testssl finds why it is as it should be. What is not
// here and more than information fails the scan.
func accepted() map[string]string {
	return map[string]string{
		"cert_expirationStatus": "certificates live for a day and are renewed at half of it",
		"cert_notAfter":         "certificates live for a day and are renewed at half of it",
		"cert_revocation":       "revocation lists come with the network's bundle, not from an address in the certificate",
		"DNS_CAArecord":         "the names are those of a private network, of which no DNS knows",
		"engine_problem":        "about the scanner's own OpenSSL",
		"optimal_proto":         "testssl has no client certificate, and without one the registry ends the connection after the handshake",
		"service":               "testssl has no client certificate, and without one the registry ends the connection after the handshake",
	}
}

// TestTLSScan has testssl.sh and sslscan look at both ports of a registry and
// an authority that were just started: TLS 1.3 only, and nothing to complain
// about. 'make scan-tls' says how to install them.
func TestTLSScan(t *testing.T) {
	d := startDev(t)
	for _, server := range []struct{ name, host, address string }{
		{"registry", "registry.development.netget.internal", d.Registry},
		{"authority", "ca.development.netget.internal", d.CA},
	} {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			address := strings.TrimPrefix(server.address, "https://")
			t.Run("testssl", func(t *testing.T) { t.Parallel(); testssl(t, server.name, server.host, address, d.root) })
			t.Run("sslscan", func(t *testing.T) { t.Parallel(); sslscan(t, server.name, server.host, address) })
		})
	}
}

// A dev is netget-registry dev, which serves an authority too.
type dev struct {
	CA, Registry string // URLs
	root         string // file of the network's root
}

func startDev(t *testing.T) dev {
	t.Helper()
	home := t.TempDir()
	path, err := exec.LookPath("netget-registry") // this test binary, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "dev", "-o", "json", "--home", home, "--log-level", "error",
		"--address", "127.0.0.1:0", "--ca-address", "127.0.0.1:0", "--ops-address", "off", "--ca-ops-address", "off")
	cmd.Env = []string{}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	var d dev
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &d) != nil {
		t.Fatalf("the servers did not become ready: %v", err)
	}
	d.root = filepath.Join(home, "root.pem")
	source, err := identity.NewSource(identity.NewFolder(filepath.Join(home, "dev", "registry", "identity")))
	if err != nil {
		t.Fatal(err)
	}
	block := &pem.Block{Type: "CERTIFICATE", Bytes: source.Identity().Bundle.Roots()[0].Raw}
	if err := os.WriteFile(d.root, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// testssl fails the test for whatever testssl.sh finds and nobody explained.
func testssl(t *testing.T, name, host, address, root string) {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.csv")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	// Its exit code counts what it does not like, which is judged here.
	out, _ := exec.CommandContext(t.Context(), "testssl", "--quiet", "--color", "0", "--warnings", "off",
		"--protocols", "--std", "--pfs", "--server-preference", "--server-defaults", "--vulnerable",
		"--csvfile", report, "--ip", "127.0.0.1", "--add-ca", root, net.JoinHostPort(host, port)).CombinedOutput()
	findings := readFindings(t, report, out)
	for _, id := range []string{"SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2"} {
		if got := findings[id]; len(got) != 1 || !strings.HasPrefix(got[0].text, "not offered") {
			t.Errorf("%s: %v, want not offered", id, got)
		}
	}
	if got := findings["TLS1_3"]; len(got) != 1 || !strings.HasPrefix(got[0].text, "offered with final") {
		t.Errorf("TLS 1.3: %v, want offered", got)
	}
	reasons, explained, clean := accepted(), []string{}, 0
	for id, all := range findings {
		for _, f := range all {
			switch reason := reasons[id]; {
			case f.severity == "OK" || f.severity == "INFO":
				clean++
			case reason == "":
				t.Errorf("%s: %s: %s", f.severity, id, f.text)
			default:
				explained = append(explained, fmt.Sprintf("%s (%s): %s", id, f.severity, reason))
			}
		}
	}
	slices.Sort(explained)
	for _, line := range slices.Compact(explained) {
		testdrill.Say(t, "      accepted: %s", line)
	}
	testdrill.Say(t, "%s: %s, testssl.sh: TLS 1.3 only, %d findings without fault, %d explained, none else", testdrill.Verdict(!t.Failed()), name, clean, len(explained))
}

type finding struct{ severity, text string }

// readFindings reads a report of lines "id","fqdn/ip","port","severity","finding",…
// and returns its findings by id.
func readFindings(t *testing.T, path string, log []byte) map[string][]finding {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatalf("testssl left no report: %v\n%s", err, log)
	}
	defer func() { _ = f.Close() }()
	reader := csv.NewReader(f)
	reader.LazyQuotes = true
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatalf("reading the report of testssl: %v", err)
	}
	findings := map[string][]finding{}
	for _, row := range rows[1:] {
		findings[row[0]] = append(findings[row[0]], finding{row[3], row[4]})
	}
	return findings
}

// sslscan fails the test for whatever sslscan finds besides TLS 1.3.
func sslscan(t *testing.T, name, host, address string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sslscan", "--no-colour", "--sni-name="+host, "--xml=-", address).Output()
	if err != nil {
		t.Fatalf("sslscan: %v\n%s", err, out)
	}
	var doc struct {
		Test struct {
			Protocols []struct {
				Type    string `xml:"type,attr"`
				Version string `xml:"version,attr"`
				Enabled bool   `xml:"enabled,attr"`
			} `xml:"protocol"`
			Renegotiation struct {
				Supported bool `xml:"supported,attr"`
			} `xml:"renegotiation"`
			Compression struct {
				Supported bool `xml:"supported,attr"`
			} `xml:"compression"`
			Heartbleed []struct {
				Vulnerable bool `xml:"vulnerable,attr"`
			} `xml:"heartbleed"`
			Ciphers []struct {
				Version  string `xml:"sslversion,attr"`
				Cipher   string `xml:"cipher,attr"`
				Strength string `xml:"strength,attr"`
			} `xml:"cipher"`
			Certificates []struct {
				SelfSigned bool `xml:"self-signed"`
				Expired    bool `xml:"expired"`
			} `xml:"certificates>certificate"`
		} `xml:"ssltest"`
	}
	if err := xml.Unmarshal(out, &doc); err != nil {
		t.Fatalf("reading the report of sslscan: %v\n%s", err, out)
	}
	var on []string
	for _, p := range doc.Test.Protocols {
		if p.Enabled {
			on = append(on, p.Type+p.Version)
		}
	}
	if !slices.Equal(on, []string{"tls1.3"}) || len(doc.Test.Protocols) < 6 {
		t.Errorf("of %d protocols these are on: %v, want TLS 1.3 alone", len(doc.Test.Protocols), on)
	}
	for _, c := range doc.Test.Ciphers {
		if c.Version != "TLSv1.3" || c.Strength != "acceptable" && c.Strength != "strong" {
			t.Errorf("cipher %s of %s is %s", c.Cipher, c.Version, c.Strength)
		}
	}
	if len(doc.Test.Ciphers) == 0 || doc.Test.Renegotiation.Supported || doc.Test.Compression.Supported {
		t.Errorf("%d ciphers, renegotiation %t, compression %t", len(doc.Test.Ciphers), doc.Test.Renegotiation.Supported, doc.Test.Compression.Supported)
	}
	for _, h := range doc.Test.Heartbleed {
		if h.Vulnerable {
			t.Error("heartbleed")
		}
	}
	for _, c := range doc.Test.Certificates {
		if c.SelfSigned || c.Expired {
			t.Errorf("a certificate: self-signed %t, expired %t", c.SelfSigned, c.Expired)
		}
	}
	testdrill.Say(t, "%s: %s, sslscan: TLS 1.3 only, %d ciphers, no renegotiation, no compression", testdrill.Verdict(!t.Failed()), name, len(doc.Test.Ciphers))
}
