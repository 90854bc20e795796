package command

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// expect returns an error unless err is a refusal of that class.
func expect(what string, err error, want identity.Code) error {
	if got := identity.CodeOf(err); got != want {
		return fmt.Errorf("%s: refused with class %q (%w), want %q", what, got, err, want)
	}
	return nil
}

// forgeRecord lets web-1 sign a record in the name of db-1.
func (w *demoWorld) forgeRecord(ctx context.Context) error {
	mallory, err := identity.NewSource(identity.NewFolder(w.folder(devNetwork, "webservice", "web-1")))
	if err != nil {
		return err
	}
	i := mallory.Identity()
	victim, err := identity.NewNodeID(i.ID().TrustDomain(), demoService, "db-1")
	if err != nil {
		return err
	}
	now := time.Now().Unix()
	chain, err := identity.NewChain(victim, 60)
	if err != nil {
		return err
	}
	token, err := identity.Seal(identity.RecordTyp, identity.Record{
		Aud: identity.Audience(i.Bundle.NID()), Network: devNetwork, Node: victim, Service: demoService, State: identity.Active, V: 1,
		Check: identity.Check{Interval: 10, Type: identity.CheckNone}, Metadata: map[string]string{},
		Endpoints: []identity.Endpoint{{Address: "127.0.0.66", Name: "default", Port: 5432, Protocol: "tcp"}},
		Epoch:     now, Sequence: 1, IAT: now, Exp: now + 60, Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: 60, Interval: 1},
	}, i.Credential)
	if err != nil {
		return err
	}
	address := w.registries["north"].server.Address()
	if err := expect("a forged record", post(ctx, mallory, address, token), identity.Binding); err != nil {
		return err
	}
	w.proved("north", "refused a record that web-1 signed in the name of db-1: %s", identity.Binding)
	return nil
}

// post sends a token to a registry as a node with its own certificate.
func post(ctx context.Context, source *identity.Source, address, token string) error {
	transport := &http.Transport{TLSClientConfig: identity.ClientTLS(source, time.Now), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+address+"/v1/records?from=0", strings.NewReader(token))
	if err != nil {
		return err
	}
	req.Host = source.Identity().Bundle.TrustDomain().RegistryName()
	req.Header.Set("Content-Type", discovery.JWSType)
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end, or the error is there
	body, err := io.ReadAll(io.LimitReader(resp.Body, discovery.MaxAnswerBytes))
	if err != nil {
		return err
	}
	if resp.StatusCode < http.StatusBadRequest {
		return nil
	}
	return identity.ParseProblem(resp.StatusCode, resp.Header, body)
}

// answer fetches what north says now, as it is sent, and opens it once to be
// sure that it is good.
func (w *demoWorld) answer(ctx context.Context) (doc []byte, opener *discovery.Opener, ask discovery.Ask, err error) {
	d, err := w.client.Discover(ctx, demoService)
	if err != nil {
		return nil, nil, discovery.Ask{}, err
	}
	folder := identity.NewFolder(w.folder(devNetwork, "client", "alice"))
	i, err := folder.Load()
	if err != nil {
		return nil, nil, discovery.Ask{}, err
	}
	ask = discovery.Ask{Service: demoService, Now: time.Now()}
	opener = discovery.NewOpener(i.Bundle)
	view, err := opener.Answer(stripConsistency(d.Answer()), ask)
	if err != nil {
		return nil, nil, discovery.Ask{}, fmt.Errorf("the untouched answer: %w", err)
	}
	if len(view.Nodes) != 2 {
		return nil, nil, discovery.Ask{}, fmt.Errorf("the untouched answer has %d nodes", len(view.Nodes))
	}
	return stripConsistency(d.Answer()), opener, ask, nil
}

// stripConsistency makes an answer one for a caller who has seen nothing yet.
func stripConsistency(doc []byte) []byte {
	return edit(doc, func(m map[string]json.RawMessage) { delete(m, "consistency") })
}

// edit changes members of an answer.
func edit(doc []byte, change func(map[string]json.RawMessage)) []byte {
	var m map[string]json.RawMessage
	if json.Unmarshal(doc, &m) != nil {
		return nil
	}
	change(m)
	out, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	return out
}

// editRecords changes the records of an answer.
func editRecords(doc []byte, change func([]discovery.AnswerRecord) []discovery.AnswerRecord) []byte {
	return edit(doc, func(m map[string]json.RawMessage) {
		var records []discovery.AnswerRecord
		if json.Unmarshal(m["records"], &records) != nil {
			return
		}
		if text, err := json.Marshal(change(records)); err == nil {
			m["records"] = text
		}
	})
}

// alterAnswer changes the address inside a record, as a lying registry or
// whoever owns its database might.
func (w *demoWorld) alterAnswer(ctx context.Context) error {
	doc, opener, ask, err := w.answer(ctx)
	if err != nil {
		return err
	}
	altered := editRecords(doc, func(records []discovery.AnswerRecord) []discovery.AnswerRecord {
		parts := strings.Split(records[0].Record, ".")
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			return nil
		}
		parts[1] = base64.RawURLEncoding.EncodeToString(bytes.Replace(payload, []byte("127.0.0.1"), []byte("127.0.0.9"), 1))
		records[0].Record = strings.Join(parts, ".")
		return records
	})
	_, err = opener.Answer(altered, ask)
	if err := expect("an altered answer", err, identity.BadSignature); err != nil {
		return err
	}
	w.proved("alice", "refused an answer with the address of db-1 altered: %s", identity.BadSignature)
	return nil
}

// hideNode leaves a node out.
func (w *demoWorld) hideNode(ctx context.Context) error {
	doc, opener, ask, err := w.answer(ctx)
	if err != nil {
		return err
	}
	hidden := editRecords(doc, func(records []discovery.AnswerRecord) []discovery.AnswerRecord { return records[:1] })
	_, err = opener.Answer(hidden, ask)
	if err := expect("an answer with a hidden node", err, identity.Incomplete); err != nil {
		return err
	}
	w.proved("alice", "refused an answer in which db-2 was hidden: %s", identity.Incomplete)
	return nil
}

// rollBack shows an answer again from before db-2 was there.
func (w *demoWorld) rollBack(ctx context.Context) error {
	doc, opener, ask, err := w.answer(ctx)
	if err != nil {
		return err
	}
	view, err := opener.Answer(doc, ask)
	if err != nil {
		return err
	}
	mark := view.Head.Mark()
	ask.Mark = &mark
	_, err = opener.Answer(stripConsistency(w.early), ask)
	if err := expect("a rolled-back answer", err, identity.Rollback); err != nil {
		return err
	}
	w.proved("alice", "refused the answer from before db-2 came: %s", identity.Rollback)
	return nil
}

// mixNetworks uses a certificate of production in development.
func (w *demoWorld) mixNetworks(ctx context.Context) error {
	foreign, err := identity.NewFolder(w.folder(demoProduction, demoService, "db-1")).Load()
	if err != nil {
		return err
	}
	ours, err := identity.NewFolder(w.folder(devNetwork, "client", "alice")).Load()
	if err != nil {
		return err
	}
	_, err = ours.Bundle.Verify(foreign.Credential.Leaf(), foreign.Credential.Issuer(), identity.ClientUse)
	if err := expect("a production certificate in development", err, identity.BadCert); err != nil {
		return err
	}
	if err := w.connect(ctx, foreign, ours); err == nil {
		return fmt.Errorf("a production certificate was let into development")
	}
	w.proved("north", "refused the connection of a production certificate in development: %s", identity.BadCert)
	return nil
}

// connect calls a development registry with another network's certificate.
func (w *demoWorld) connect(ctx context.Context, foreign, ours *identity.Identity) error {
	source, err := identity.NewMemorySource(ours)
	if err != nil {
		return err
	}
	config := identity.ClientTLS(source, time.Now)
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return foreign.Credential.TLS(), nil }
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+w.registries["north"].server.Address()+"/v1/head", nil)
	if err != nil {
		return err
	}
	req.Host = ours.Bundle.TrustDomain().RegistryName()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
