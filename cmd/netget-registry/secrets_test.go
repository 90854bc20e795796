package main_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/cmd/internal/scripttest"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testpg"
)

// The secrets that this test chooses itself.
const (
	rightPassphrase = "correct horse battery staple 4711"
	wrongPassphrase = "incorrect zebra battery staple 42"
	storePassword   = "hunter2-hunter2-hunter2"
)

// The whole life of a network, as verbose as can be: nothing that anybody can
// read holds a secret.
func TestNoSecretIsEverTold(t *testing.T) {
	w := newSecretsWorld(t)
	w.secrets[rightPassphrase], w.secrets[wrongPassphrase] = "the passphrase", "a wrong passphrase"
	w.secrets[storePassword] = "the password of the store"
	w.env = []string{"NETGET_PASSPHRASE=" + rightPassphrase}
	w.run(t, 0, "", "netget-ca", "init")
	w.env = []string{"NETGET_PASSPHRASE=" + wrongPassphrase}
	w.run(t, 2, "", "netget-ca", "token", "billing", "b-9")
	passphraseFile := filepath.Join(t.TempDir(), "passphrase")
	must(t, os.WriteFile(passphraseFile, []byte(rightPassphrase+"\n"), 0o600))
	w.env = nil
	ca := w.start(t, "netget-ca", "serve", "--address", "127.0.0.1:0", "--ops-address", "127.0.0.1:0", "--passphrase-file", passphraseFile)

	tokenFile := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(tokenFile, []byte(w.token(t, "registry", "r-1")), 0o600))
	w.run(t, 0, "", "netget-registry", "enroll", "@"+tokenFile)
	spent := w.token(t, "billing", "b-1")
	w.run(t, 0, "", "netget-client", "enroll", spent)
	w.run(t, 0, w.token(t, "client", "alice")+"\n", "netget-client", "enroll", "-", "--identity", filepath.Join(w.home, "alice"))
	w.run(t, 4, "", "netget-client", "enroll", spent, "--identity", filepath.Join(w.home, "again"))
	w.run(t, 4, damaged(w.token(t, "billing", "b-2")), "netget-client", "enroll", "-", "--identity", filepath.Join(w.home, "b-2"))
	cut := w.token(t, "billing", "b-3")
	w.run(t, 2, cut[:len(cut)/2]+"\x00"+cut[len(cut)/2:], "netget-client", "enroll", "-", "--identity", filepath.Join(w.home, "b-3"))
	w.keys(t, rightPassphrase)

	registry := w.start(t, "netget-registry", "serve", "--address", "127.0.0.1:0", "--ops-address", "127.0.0.1:0")
	w.run(t, 0, "", "netget-ca", "registries", "add", "https://"+registry.ready["address"].(string), "--registry", "r-1")
	w.run(t, 0, "", "netget-ca", "registries", "remove", "https://127.0.0.1:8438")
	w.env = []string{"NETGET_PASSPHRASE=" + rightPassphrase, "NETGET_STORE=postgres://netget:" + storePassword + "@db/netget", "NETGET_STORE_FILE=" + tokenFile, "ITS_OWN=kept"}
	node := w.start(t, "netget-client", "register", "--address", "127.0.0.1:5432", "--ttl", "1m", "--heartbeat-interval", "1s",
		"--registry", "https://"+registry.ready["address"].(string), "--", "sh", "-c", "env; exec sleep 600")
	w.env = nil
	ops := registry.ready["ops"].(string)
	eventually(t, time.Minute, "two heartbeats", func() bool {
		return regexp.MustCompile(`netget_registry_heartbeats_total\{[^}]*\} [2-9]`).MatchString(w.fetch(t, ops+"/metrics"))
	})
	alice := filepath.Join(w.home, "alice")
	answer := filepath.Join(t.TempDir(), "answer.json")
	at := "https://" + registry.ready["address"].(string)
	w.run(t, 0, "", "netget-client", "discover", "billing", "--identity", alice, "--registry", at, "--save", answer)
	w.run(t, 0, "", "netget-client", "status", "--registry", at)
	w.beatWrongly(t, at)
	for _, from := range []string{ops, ca.ready["ops"].(string)} {
		w.keep("metrics", w.fetch(t, from+"/metrics"))
		w.keep("readiness", w.fetch(t, from+"/readyz"))
	}
	w.run(t, 0, "", "netget-registry", "status")
	w.run(t, 0, "", "netget-ca", "certs", "list")
	w.run(t, 0, "", "netget-registry", "audit")

	if text := node.text(); !strings.Contains(text, "ITS_OWN=kept") || regexp.MustCompile(`(?m)^NETGET_`).MatchString(text) {
		t.Errorf("the command got this environment:\n%s", text)
	}
	node.end(t, syscall.SIGTERM, 128+int(syscall.SIGTERM))
	registry.end(t, syscall.SIGQUIT, 2) // a trace of everything that runs

	clock := scripttest.NewClock(t, filepath.Join(t.TempDir(), "clock"))
	clock.Shift(13 * time.Hour)
	w.env = []string{clock.Env()}
	registry = w.start(t, "netget-registry", "serve", "--address", "127.0.0.1:0", "--ops-address", "off") // renews first
	w.keys(t, rightPassphrase)
	registry.end(t, syscall.SIGTERM, 0)
	w.env = nil
	w.stores(t)
	ca.end(t, syscall.SIGQUIT, 2)

	w.run(t, 0, "", "netget-registry", "audit", "--event", "renewed")
	w.files(t)
	if len(w.secrets) < 60 || len(w.said) < 60 {
		t.Errorf("%d secrets were looked for in %d texts", len(w.secrets), len(w.said))
	}
	w.check(t)
	w.checkHeartbeats(t, answer)
}

// stores runs the registry on stores whose URL has a password.
func (w *secretsWorld) stores(t *testing.T) {
	t.Helper()
	for _, bad := range []string{
		"postgres://netget:" + storePassword + "@127.0.0.1:1/netget",
		"postgres://netget:" + storePassword + "%zz@127.0.0.1:1/netget",
		"postgres://127.0.0.1:1/netget?user=netget&password=" + storePassword,
		"mysql://netget:" + storePassword + "@127.0.0.1:1/netget",
	} {
		want := 2
		if strings.HasPrefix(bad, "postgres") && !strings.Contains(bad, "%zz") {
			want = 5
		}
		serve := []string{"serve", "--address", "127.0.0.1:0", "--ops-address", "off"}
		w.run(t, want, "", "netget-registry", append(serve, "--store", bad)...)
		w.env = []string{"NETGET_STORE=" + bad}
		w.run(t, want, "", "netget-registry", serve...)
		w.env = nil
	}
	t.Run("PostgreSQL", w.postgres) // skipped where there is none: the ways on which it fails were tried
}

// postgres runs the registry on a store that holds no log of its identity, which
// has signed elsewhere: so it must not serve, and says why.
func (w *secretsWorld) postgres(t *testing.T) {
	good, err := url.Parse(testpg.URL(t))
	must(t, err)
	query := good.Query()
	query.Set("password", storePassword)
	good.RawQuery = query.Encode()
	file := filepath.Join(t.TempDir(), "store")
	must(t, os.WriteFile(file, []byte(good.String()), 0o600))
	w.env = []string{"NETGET_STORE_FILE=" + file}
	defer func() { w.env = nil }()
	w.run(t, 6, "", "netget-registry", "serve", "--address", "127.0.0.1:0", "--ops-address", "off")
}

// fetch asks an operations port.
func (w *secretsWorld) fetch(t *testing.T, from string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, from, nil)
	must(t, err)
	res, err := (&http.Client{Timeout: time.Minute}).Do(req)
	must(t, err)
	text, err := io.ReadAll(res.Body)
	must(t, err)
	must(t, res.Body.Close())
	return string(text)
}

// beatWrongly sends a token that is not the node's, and one that is no token.
func (w *secretsWorld) beatWrongly(t *testing.T, registry string) {
	t.Helper()
	source, err := identity.NewSource(identity.NewFolder(filepath.Join(w.home, "client")))
	must(t, err)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: identity.ClientTLS(source, time.Now), ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	for body, want := range map[string]int{
		`{"rid":"` + w.rid(t) + `","k":50,"token":"` + identity.Hash{9}.String() + `"}`: http.StatusUnauthorized,
		`{"rid":7}`: http.StatusBadRequest,
	} {
		eventually(t, time.Minute, "the refusal of "+body, func() bool {
			status, text := w.post(t, client, registry+"/v1/heartbeats", body)
			w.keep("refused heartbeat", text)
			if status != want && status != http.StatusTooManyRequests {
				t.Fatalf("%s is answered with %d: %s", body, status, text)
			}
			return status == want
		})
	}
}

func (w *secretsWorld) post(t *testing.T, client *http.Client, to, body string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	must(t, err)
	read, err := io.ReadAll(res.Body)
	must(t, err)
	must(t, res.Body.Close())
	return res.StatusCode, string(read)
}

// rid returns the record of the one node, as the audit log has it.
func (w *secretsWorld) rid(t *testing.T) string {
	t.Helper()
	var list struct{ Entries []struct{ RID string } }
	must(t, json.Unmarshal([]byte(w.run(t, 0, "", "netget-registry", "audit", "--event", "registered", "-n", "1")), &list))
	if len(list.Entries) != 1 {
		t.Fatal("the registration is not in the audit log")
	}
	return list.Entries[0].RID
}

// damaged returns a token whose signature does not fit.
func damaged(token string) string {
	last := "A"
	if strings.HasSuffix(token, "A") {
		last = "Q"
	}
	return token[:len(token)-1] + last
}

// checkHeartbeats takes everything that was said, and looks like a hash, for a
// heartbeat of the record that is in the saved answer. None may be one: they are
// sent to registries, and to nobody else.
func (w *secretsWorld) checkHeartbeats(t *testing.T, answer string) {
	t.Helper()
	text, err := os.ReadFile(answer)
	must(t, err)
	var saved struct {
		Records []struct {
			Record    string
			Heartbeat identity.Beat
		}
	}
	must(t, json.Unmarshal(text, &saved))
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(saved.Records[0].Record, ".")[1])
	must(t, err)
	var record identity.Record
	must(t, json.Unmarshal(payload, &record))
	if !isBeat(&record, saved.Records[0].Heartbeat.Token) {
		t.Fatal("not even the heartbeat of the answer is found")
	}
	seen := map[identity.Hash]bool{}
	for what, text := range w.said {
		if strings.Contains(what, "registry.db") {
			continue // holds those that were sent
		}
		for _, found := range regexp.MustCompile(`[A-Za-z0-9_-]{43}|[0-9a-f]{64}`).FindAllString(text, -1) {
			h, err := identity.ParseHash(found)
			if raw, hexErr := hex.DecodeString(found); hexErr == nil && len(raw) == len(h) {
				h, err = identity.Hash(raw), nil
			}
			if err != nil || seen[h] {
				continue
			}
			if seen[h] = true; isBeat(&record, h) {
				t.Errorf("%s tells a heartbeat", what)
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d hashes were tried", len(seen))
	}
}

func isBeat(r *identity.Record, token identity.Hash) bool {
	for k := int64(1); k <= r.Heartbeat.Count; k++ {
		got, err := r.VerifyBeat(identity.Beat{K: k, Token: token}, identity.Beat{}, time.Unix(r.Exp, 0).Add(time.Hour))
		if err == nil && got.K == k {
			return true
		}
	}
	return false
}
