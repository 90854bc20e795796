package enroll_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
)

func TestParseToken(t *testing.T) {
	f := newFakeCA(t)
	id := f.ca.ID("databaseservice", "db-1")
	token, err := enroll.ParseToken(" " + tokenText(f.tokenClaims(id)) + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if token.ID() != id || token.CA() != f.url || token.Root() != identity.Thumbprint(f.ca.Root) || token.Expires().Unix() != start.Unix()+600 {
		t.Errorf("got %v %s %s %s", token.ID(), token.CA(), token.Root(), token.Expires())
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", token, token, token, token.LogValue()); strings.Contains(shown, "ey") {
		t.Errorf("the token shows itself: %s", shown)
	}
}

func TestParseTokenRefuses(t *testing.T) {
	f := newFakeCA(t)
	good := f.tokenClaims(f.ca.ID("databaseservice", "db-1"))
	set := func(name string, value any) string {
		claims := maps.Clone(good)
		if value == nil {
			delete(claims, name)
		} else {
			claims[name] = value
		}
		return tokenText(claims)
	}
	netget := func(name string, value any) string {
		inner := maps.Clone(good["netget"].(map[string]any))
		inner[name] = value
		return set("netget", inner)
	}
	parts := strings.Split(tokenText(good), ".")
	raw := func(payload string) string {
		return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + parts[2]
	}
	rows := []struct {
		name, text string
		want       identity.Code
	}{
		{"nothing", "", identity.Malformed},
		{"garbage", "garbage", identity.Malformed},
		{"two parts", parts[0] + "." + parts[1], identity.Malformed},
		{"four parts", tokenText(good) + ".x", identity.Malformed},
		{"an empty signature", parts[0] + "." + parts[1] + ".", identity.Malformed},
		{"padding", parts[0] + "." + parts[1] + "." + parts[2] + "=", identity.Malformed},
		{"the standard alphabet", parts[0] + "." + parts[1] + ".++//", identity.Malformed},
		{"stray bits", parts[0] + "." + parts[1] + ".AB", identity.Malformed},
		{"a line break inside", parts[0] + "." + parts[1][:8] + "\n" + parts[1][8:] + "." + parts[2], identity.Malformed},
		{"more than 4 KiB", set("jti", strings.Repeat("x", 4096)), identity.Limits},
		{"a payload that is no JSON", raw("{"), identity.Malformed},
		{"a payload that is no object", raw("[]"), identity.Malformed},
		{"a repeated member", raw(`{"aud":"https://a:1","aud":"https://b:1"}`), identity.Malformed},
		{"trailing data", raw(`{} {}`), identity.Malformed},
		{"no audience", set("aud", nil), identity.Malformed},
		{"an audience without port", set("aud", "https://example.org"), identity.Malformed},
		{"an audience without TLS", set("aud", "http://example.org:8439"), identity.Malformed},
		{"an audience with path", set("aud", "https://example.org:8439/x"), identity.Malformed},
		{"an audience with user", set("aud", "https://a@example.org:8439"), identity.Malformed},
		{"an audience that is no URL", set("aud", "https://[::1"), identity.Malformed},
		{"no root", set("sha", nil), identity.Malformed},
		{"a short root", set("sha", "abcd"), identity.Malformed},
		{"an upper-case root", set("sha", strings.ToUpper(good["sha"].(string))), identity.Malformed},
		{"another issuer", set("iss", "development.netget.internal"), identity.Malformed},
		{"another subject", set("sub", "db-2"), identity.Malformed},
		{"no jti", set("jti", nil), identity.Malformed},
		{"no exp", set("exp", nil), identity.Malformed},
		{"a negative exp", set("exp", -5), identity.Malformed},
		{"no netget", set("netget", nil), identity.Malformed},
		{"an upper-case network", netget("network", "Production"), identity.Malformed},
		{"an upper-case service", netget("service", "DatabaseService"), identity.Malformed},
		{"a path as node", netget("node", "../x"), identity.Malformed},
		{"another profile", netget("profile", "registry"), identity.Malformed},
	}
	for _, row := range rows {
		t.Run("refuses "+row.name, func(t *testing.T) {
			if _, err := enroll.ParseToken(row.text); identity.CodeOf(err) != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}
