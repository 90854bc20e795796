package registry_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/forge"
)

// statuses are the HTTP statuses of the classes (docs/protocol.md section 5,
// "Error classes").
var statuses = map[identity.Code]int{
	identity.Limits: 400, identity.Malformed: 400, identity.BadHeader: 400, identity.BadTime: 400,
	identity.BadSignature: 401, identity.BadCert: 401,
	identity.Binding: 403, identity.WrongNetwork: 403, identity.Denied: 403, identity.Revoked: 403,
	identity.NotFound: 404, identity.Superseded: 409,
}

// The published vectors are judged here from the wire in. Where the wire says
// something else than the vector does, this is why:
//
//	vector                        wire                        because
//	certificate, revoked          no connection, same class   the handshake comes before the first byte of a request
//	revoked, connected before     403 revoked                 every request is judged by the lists in force
//	time, of a certificate        no connection, certificate  "time" is for what was signed with a certificate (section 2)
//	the same, connected before    401 certificate             the same
//	for signing, for the CA       no connection, certificate  only node chains may call
//	limits, above 8,192 bytes     413 limits                  the size of the message is exceeded (section 5)
//	a heartbeat when its record   404 not-found               a registry removes records when t ≥ exp (section 3); a minute
//	  is over                                                 earlier, which clocks may differ, the vector's own verdict
//	superseded, for one place     409, evidence is kept       the node equivocates (section 4, "Order")

func TestVectorsOfRecords(t *testing.T) {
	shared := newDesk(t)
	eachVector(t, vectors.RecordsFile, func(t *testing.T, v vectors.Record) {
		t.Helper()
		if v.TokenGzip != nil {
			v.Token = unzipped(t, v.TokenGzip)
		}
		if v.Class == "" {
			acceptRecord(t, v)
			return
		}
		if v.Class == identity.BadCert || v.Class == identity.Revoked {
			shutOut(t, v)
			return
		}
		l := shared.lab(t, v)
		before := l.holdings()
		refuseRecord(l, v, &before)
		l.unchanged(before)
	})
	shared.close()
}

// A desk is one registry for all vectors that come at one moment to somebody
// who knows nothing of the node: since they are refused, nothing ever changes.
type desk struct {
	of     *lab
	bundle json.RawMessage
	opened holdings
	served int
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{bundle: bundleWith(t)}
	d.of = newLab(t, d.bundle, vectorSigned+1)
	d.of.settle()
	d.opened = d.of.holdings()
	return d
}

// lab returns where a vector is sent: the desk, or a registry of its own.
func (d *desk) lab(t *testing.T, v vectors.Record) *lab {
	t.Helper()
	var bundle bytes.Buffer
	if err := json.Compact(&bundle, v.Bundle); err != nil {
		t.Fatal(err)
	}
	if v.State != nil || v.Now != d.of.clock.Load() || !bytes.Equal(bundle.Bytes(), d.bundle) {
		return labOf(t, v)
	}
	if d.served++; d.served%10 == 0 { // no identity may post more than that at once
		d.of.serve()
	}
	return d.of.in(t)
}

// close fails if anything that was refused has left a trace.
func (d *desk) close() {
	d.of.t.Helper()
	d.of.rest()
	d.of.unchanged(d.opened)
}

// labOf starts the registry of a vector with somebody else registered, and the
// node's state if the vector has one.
func labOf(t *testing.T, v vectors.Record) *lab {
	t.Helper()
	l := newLab(t, v.Bundle, v.Now)
	l.settle()
	if v.State != nil {
		l.hold(*v.State)
	}
	return l
}

func acceptRecord(t *testing.T, v vectors.Record) {
	t.Helper()
	l := labOf(t, v)
	before := l.holdings()
	caller := l.dial(v.Certificate, v.Issuer)
	got := caller.postStatement(v.Token)
	status, version := http.StatusCreated, before.Head.Version+1
	if v.State != nil && l.statement(*v.State).RID() == v.Want.RID {
		status, version = http.StatusOK, before.Head.Version
	}
	want(t, got, status)
	s := l.statement(v.Signed)
	if s.IsTombstone() {
		if _, err := caller.opener.TombstoneReceipt(got.body, s, caller.ask(v.Want.Service)); err != nil {
			t.Errorf("the receipt: %v", err)
		}
	} else if _, err := caller.opener.Receipt(got.body, s, caller.ask(v.Want.Service)); err != nil {
		t.Errorf("the receipt: %v", err)
	}
	view := l.discover(v.Want.Service)
	if view.Head.Version != version {
		t.Errorf("version %d, want %d", view.Head.Version, version)
	}
	listed(t, view, v.Want.Node, v.Want.RID, !s.IsTombstone())
}

// listed fails unless the view has the node with that record, or not at all.
func listed(t *testing.T, v *discovery.View, node identity.NodeID, rid identity.Hash, is bool) {
	t.Helper()
	for _, n := range v.Nodes {
		if n.Record.Node != node {
			continue
		}
		if !is {
			t.Errorf("%s is listed", node)
		}
		if n.RID != rid {
			t.Errorf("%s is listed with the record %s, want %s", node, n.RID, rid)
		}
		return
	}
	if is {
		t.Errorf("%s is not listed; left out: %v", node, v.LeftOut)
	}
}

// refuseRecord sends a bad statement, and writes into before what it may change.
func refuseRecord(l *lab, v vectors.Record, before *holdings) {
	l.t.Helper()
	got := l.dial(v.Certificate, v.Issuer).postStatement(v.Token)
	status := statuses[v.Class]
	if len(v.Token) > identity.MaxTokenBytes {
		status = http.StatusRequestEntityTooLarge
	}
	refused(l.t, got, status, v.Class)
	if v.Class == identity.Superseded {
		toldState(l.t, got, *v.State)
		keepEvidence(l, before, v)
	}
	if v.State != nil {
		l.rest() // it has reached the committer
	}
}

// toldState fails unless a refusal carries the node's state.
func toldState(t *testing.T, r reply, state vectors.Signed) {
	t.Helper()
	p := r.problem(t)
	if p.Current != state.Token || !bytes.Equal(p.Certificate, state.Certificate) || !bytes.Equal(p.Issuer, state.Issuer) {
		t.Errorf("told %.40s… as the state, want %.40s…", p.Current, state.Token)
	}
}

// keepEvidence adds to what is expected what a registry keeps of a node that
// has signed two statements for one place.
func keepEvidence(l *lab, h *holdings, v vectors.Record) {
	l.t.Helper()
	mine, state := l.statement(v.Signed), l.statement(*v.State)
	if mine.Epoch() != state.Epoch() || mine.Sequence() != state.Sequence() {
		return
	}
	object := h.Store.Objects[state.RID()]
	object.RID, object.Token = mine.RID(), mine.Token()
	h.Store.Objects[mine.RID()] = object
	row := h.Store.Nodes[state.Node()]
	row.Evidence = mine.RID()
	h.Store.Nodes[state.Node()] = row
}

// shutOut sends a statement of which the certificate is not acceptable: by a
// new connection, and by one that is older than the revocation.
func shutOut(t *testing.T, v vectors.Record) {
	t.Helper()
	l := newLab(t, v.Bundle, v.Now)
	before := l.holdings()
	caller := l.dial(v.Certificate, v.Issuer)
	l.shut(caller, caller.message("/v1/records", discovery.JWSType, []byte(v.Token)), v.Class)
	l.unchanged(before)
	if v.Class != identity.Revoked {
		return
	}
	l = newLab(t, bundleWith(t), v.Now)
	caller = l.dial(v.Certificate, v.Issuer)
	want(t, caller.get("/v1/head"), http.StatusOK)
	l.trust(v.Bundle)
	refused(t, caller.postStatement(v.Token), http.StatusForbidden, identity.Revoked)
	if got := l.store.Contents(); len(got.Objects) != 0 || len(got.Nodes) != 0 {
		t.Errorf("of a revoked node %d statements are kept", len(got.Objects))
	}
}

func unzipped(t *testing.T, b []byte) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// bundleWith returns the bundle of the vectors' network with the given lists.
func bundleWith(t *testing.T, crls ...[]byte) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(forge.Authority().BundleDocument(crls...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
