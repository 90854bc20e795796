package enroll_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
	"github.com/neurons-me/netget/internal/testca"
)

// start is also when a synctest bubble begins.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func fixed() time.Time { return start }

// answer is what enrolment and renewal reply.
type answer struct {
	Certificate        [][]byte `json:"certificate"`
	SigningCertificate [][]byte `json:"signingCertificate,omitempty"`
	identity.BundleDocument
}

// ask is what they are asked.
type ask struct {
	Token      string `json:"token"`
	CSR        []byte `json:"csr"`
	SigningCSR []byte `json:"signingCsr"`
}

// A fakeCA speaks the authority's API over real TLS; its fields spoil replies.
type fakeCA struct {
	url string

	mu      sync.Mutex
	ca      *testca.Authority // guarded by mu, as all below
	shown   *testca.Authority // whose server certificate it shows
	root    *x509.Certificate // answered at /1.0/root
	now     func() time.Time
	life    time.Duration
	edit    func(*answer, ask)
	refuse  http.HandlerFunc // answers instead, if not nil
	crls    [][]byte
	entries []identity.RegistryEntry
	lenient bool     // takes certificates that are over
	seen    []string // "METHOD path", with " token" or " as ID"
}

func newFakeCA(t *testing.T) *fakeCA {
	t.Helper()
	ca := testca.New("production", "a", start)
	f := &fakeCA{ca: ca, shown: ca, root: ca.Root, now: fixed, life: 24 * time.Hour}
	server := httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	server.TLS = identity.ServerTLS(func(sni string) *identity.Tenant {
		if sni != ca.TD.CAName() {
			return nil
		}
		return &identity.Tenant{Credential: f.certificate, Verify: f.verify, ClientOptional: true}
	})
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	f.url = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	return f
}

// set changes the fake under its lock.
func (f *fakeCA) set(change func(*fakeCA)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeCA) requests() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.seen, "\n")
}

func (f *fakeCA) certificate() *tls.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	shown := f.shown
	if shown == f.ca {
		shown = testca.New("production", "a", f.now()) // the same keys, a certificate of today
	}
	key, leaf := shown.CAServer()
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw, shown.NodeIssuer.Raw}, PrivateKey: key}
}

func (f *fakeCA) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lenient {
		return nil
	}
	_, err := identity.VerifyPeer(state, f.ca.Bundle(), identity.ClientUse, f.now())
	return err
}

func (f *fakeCA) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var q ask
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &q)
	note := r.Method + " " + r.URL.Path
	if q.Token != "" {
		note += " token"
	}
	var peer identity.NodeID
	if certs := r.TLS.PeerCertificates; len(certs) != 0 {
		peer, _ = identity.ParseNodeID(certs[0].URIs[0].String())
		note += " as " + peer.Label()
	}
	f.seen = append(f.seen, note)
	if f.refuse != nil {
		f.refuse(w, r)
		return
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/1.0/root/"):
		reply(w, http.StatusOK, map[string]string{"ca": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.root.Raw}))})
	case r.URL.Path == "/v1/bundle":
		a := f.answer()
		if f.edit != nil {
			f.edit(&a, q)
		}
		reply(w, http.StatusOK, a.BundleDocument)
	case r.URL.Path == "/v1/enroll":
		f.issue(w, q, idOfToken(q.Token))
	case r.URL.Path == "/v1/renew":
		f.issue(w, q, peer)
	default:
		http.NotFound(w, r)
	}
}

func (f *fakeCA) answer() answer {
	d := f.ca.BundleDocument(f.crls...)
	d.Registries = f.entries
	return answer{BundleDocument: d}
}

func (f *fakeCA) issue(w http.ResponseWriter, q ask, id identity.NodeID) {
	a := f.answer()
	a.Certificate = [][]byte{f.ca.Leaf(id, publicKey(q.CSR), f.inTime).Raw, f.ca.NodeIssuer.Raw}
	if q.SigningCSR != nil {
		a.SigningCertificate = f.signing(id, q.SigningCSR)
	}
	if f.edit != nil {
		f.edit(&a, q)
	}
	reply(w, http.StatusCreated, a)
}

func (f *fakeCA) inTime(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = f.now().Add(-time.Minute), f.now().Add(f.life)
}

func (f *fakeCA) signing(id identity.NodeID, csr []byte) [][]byte {
	leaf := f.ca.Template(id)
	leaf.UnknownExtKeyUsage = f.ca.RegistryIssuer.UnknownExtKeyUsage
	leaf.NotBefore, leaf.NotAfter = f.now().Add(-time.Minute), f.now().Add(30*24*time.Hour)
	return [][]byte{f.ca.SignWithRegistryIssuer(leaf, publicKey(csr)).Raw, f.ca.RegistryIssuer.Raw}
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func publicKey(csr []byte) any {
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil || req.CheckSignature() != nil {
		panic("a bad certificate request")
	}
	return req.PublicKey
}

// tokenClaims are those of a good token, for tests to spoil.
func (f *fakeCA) tokenClaims(id identity.NodeID) map[string]any {
	fingerprint := identity.Thumbprint(f.ca.Root)
	return map[string]any{
		"iss": id.TrustDomain().String(), "aud": f.url, "sha": hex.EncodeToString(fingerprint[:]), "sub": id.Label(),
		"sans": append([]string{id.String()}, id.DNSNames()...), "jti": "one", "iat": start.Unix(), "nbf": start.Unix(),
		"exp": start.Unix() + 600,
		"netget": map[string]any{
			"network": id.TrustDomain().Network(), "domain": id.TrustDomain().Domain(),
			"service": id.Service(), "node": id.Label(), "profile": id.Type().String(),
		},
	}
}

// tokenText encodes claims as a token whose signature nobody looks at.
func tokenText(claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"ES256","kid":"k","typ":"JWT"}`)) + "." + b64(payload) + "." + b64(make([]byte, 64))
}

func (f *fakeCA) token(t *testing.T, id identity.NodeID) enroll.Token {
	t.Helper()
	token, err := enroll.ParseToken(tokenText(f.tokenClaims(id)))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func idOfToken(text string) identity.NodeID {
	token, err := enroll.ParseToken(text)
	if err != nil {
		panic(err)
	}
	return token.ID()
}

// identity returns an identity of the network that can be kept in a folder.
func (f *fakeCA) identity(id identity.NodeID) *identity.Identity {
	i := f.ca.Identity(id)
	i.Document.CA = f.url
	i.Credential = f.ca.IssueKey(id, newKey())
	if i.Signing == nil {
		return i
	}
	leaf := f.ca.Template(id)
	leaf.UnknownExtKeyUsage = f.ca.RegistryIssuer.UnknownExtKeyUsage
	leaf.NotAfter = start.Add(30 * 24 * time.Hour)
	key := newKey()
	signing, err := identity.NewCredential(key, f.ca.SignWithRegistryIssuer(leaf, key.Public()), f.ca.RegistryIssuer)
	if err != nil {
		panic(err)
	}
	i.Signing = signing
	return i
}

// source returns [fakeCA.identity] in force, kept in a folder.
func (f *fakeCA) source(t *testing.T, service, node string) *identity.Source {
	t.Helper()
	folder := identity.NewFolder(t.TempDir())
	if err := folder.Create(f.identity(f.ca.ID(service, node)), false); err != nil {
		t.Fatal(err)
	}
	src, err := identity.NewSource(folder)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func newKey() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "https://" + l.Addr().String()
}
