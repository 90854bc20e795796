package pki_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

func TestCreateNetworkBesideARunningServer(t *testing.T) {
	dir := initDir(t, "development")
	w := serveWorld(t, dir, newClock(), nil)
	made, err := w.CreateNetwork(t.Context(), pki.NetworkConfig{Network: "alpha", LeafLife: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]pki.Network{made, w.Networks()[1]}, w.Networks()); diff != "" {
		t.Errorf("networks: %s", diff)
	}
	m := w.enroll(t, pki.TokenRequest{Network: "alpha", Service: "billing", Node: "b1"})
	if life := m.leaf(t).NotAfter.Sub(w.clock.Now()); life != 5*time.Minute {
		t.Errorf("lives %s", life)
	}
	w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	if _, err := w.CreateNetwork(t.Context(), pki.NetworkConfig{Network: "alpha"}); !errors.Is(err, pki.ErrNetworkExists) {
		t.Errorf("again: %v", err)
	}
	for name, cfg := range map[string]pki.NetworkConfig{
		"bad name":           {Network: "../x"},
		"extra of another":   {Network: "beta", Extras: &pki.Extras{DNS: []string{"development.netget.internal"}}},
		"extra over another": {Network: "beta", Extras: &pki.Extras{DNS: []string{"netget.internal"}}},
	} {
		if _, err := w.CreateNetwork(t.Context(), cfg); identity.CodeOf(err) != identity.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	reaching := &pki.Extras{DNS: []string{"registry.delta.netget.internal"}}
	if _, err := w.CreateNetwork(t.Context(), pki.NetworkConfig{Network: "gamma", Extras: reaching}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateNetwork(t.Context(), pki.NetworkConfig{Network: "delta"}); identity.CodeOf(err) != identity.Malformed {
		t.Errorf("a network that an extra of another reaches into: %v", err)
	}
	for name := range files(t, filepath.Join(dir, "networks")) {
		if name != "." && name[0] == '.' {
			t.Errorf("left behind: %s", name)
		}
	}
	if _, err := w.Network("nowhere"); identity.CodeOf(err) != identity.NotFound {
		t.Errorf("an unknown network: %v", err)
	}
}

func TestRegistries(t *testing.T) {
	w := newWorld(t, "development", "production")
	ctx := t.Context()
	if _, err := w.AddRegistry(ctx, "development", "r1", "https://127.0.0.1:8438"); err != nil {
		t.Fatal(err)
	}
	got, err := w.AddRegistry(ctx, "development", "r1", "https://127.0.0.2:8438")
	if err != nil {
		t.Fatal(err)
	}
	want := pki.Registry{Registry: "spiffe://" + td + "/registry/r1", Network: "development", Addresses: []string{"https://127.0.0.1:8438", "https://127.0.0.2:8438"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "127.0.0.1:1", "https://127.0.0.1", "https://127.0.0.1:1/", "https://u@127.0.0.1:1"} {
		_, err := w.AddRegistry(ctx, "development", "r1", bad)
		wantCode(t, err, identity.Malformed)
	}
	_, err = w.AddRegistry(ctx, "development", "R/1", "https://127.0.0.1:1")
	wantCode(t, err, identity.Malformed)
	wantCode(t, w.RemoveRegistry(ctx, "production", "https://127.0.0.1:8438"), identity.NotFound)
	if err := w.RemoveRegistry(ctx, "development", "https://127.0.0.1:8438"); err != nil {
		t.Fatal(err)
	}
	list, err := w.Registries(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	want.Addresses = []string{"https://127.0.0.2:8438"}
	if diff := cmp.Diff([]pki.Registry{want}, list); diff != "" {
		t.Error(diff)
	}
}

func TestInventory(t *testing.T) {
	w := newWorld(t, "development", "production")
	m := w.enroll(t, pki.TokenRequest{Network: "development", Service: "registry", Node: "r1"})
	w.clock.Advance(time.Second)
	w.enroll(t, pki.TokenRequest{Network: "production", Service: "billing", Node: "b1"})
	list, err := w.Certificates(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var uses []string
	for _, c := range list {
		uses = append(uses, strings.Join([]string{c.Network, c.ID, c.Type, c.Issuer, c.Use}, ","))
	}
	if want := "production,spiffe://production.netget.internal/billing/b1,service,node,tls"; uses[0] != want {
		t.Errorf("newest = %s, want %s", uses[0], want)
	}
	for _, want := range []string{
		"development,spiffe://" + td + "/registry/r1,registry,node,tls",
		"development,spiffe://" + td + "/registry/r1,registry,registry,signing",
		"development,,,node,ca-server", "production,,,node,ca-server",
	} {
		if !slices.Contains(uses, want) {
			t.Errorf("%q is not in %q", want, uses)
		}
	}
	leaf := m.leaf(t)
	for _, c := range list {
		if c.Service == "registry" && c.Use == "tls" && (c.NotAfter != leaf.NotAfter || c.NotBefore != leaf.NotBefore || c.RevokedAt != nil || len(c.SHA256) != 64) {
			t.Errorf("listed as %+v", c)
		}
	}
	text, err := json.Marshal(list[0])
	if err != nil {
		t.Fatal(err)
	}
	mustContain(t, string(text), `"revoked_at":null`)
}

func TestEnrollOffline(t *testing.T) {
	dir := initDir(t, "development")
	ca, err := pki.Open(t.Context(), pki.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer ca.Close()
	e, err := ca.EnrollOffline(t.Context(), "", "registry", "r1", plainCSR(t), plainCSR(t))
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := identity.NewBundle(e.BundleDocument)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := bundle.Verify(parse(t, e.Certificate[0]), parse(t, e.Certificate[1]), identity.ServerUse)
	if err != nil {
		t.Fatal(err)
	}
	if want := "spiffe://" + td + "/registry/r1"; cert.ID().String() != want {
		t.Errorf("enrolled %s", cert.ID())
	}
	_, err = ca.EnrollOffline(t.Context(), "", "ca", "x", plainCSR(t), nil)
	wantCode(t, err, identity.Malformed)
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	w := serveWorld(t, initDir(t, "development"), newClock(), func(c *pki.Config) { c.Metrics = registry })
	w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: "x"})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			got[f.GetName()] += m.GetCounter().GetValue()
		}
	}
	want := map[string]float64{
		"netget_ca_certificates_issued_total": 2, "netget_ca_refusals_total": 1, "netget_ca_tokens_minted_total": 1,
		"netget_ca_connections": 0, "netget_ca_connections_refused_total": 0, "netget_ca_panics_total": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
