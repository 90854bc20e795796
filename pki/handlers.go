package pki

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/smallstep/certificates/api"

	"github.com/neurons-me/netget/identity"
)

// An enrollRequest is the body of POST /v1/enroll, and without token that of
// POST /v1/renew. The requests are PKCS #10 in DER.
type enrollRequest struct {
	Token      string `json:"token"`
	CSR        []byte `json:"csr"`
	SigningCSR []byte `json:"signingCsr"`
}

func (ca *CA) postEnroll(w http.ResponseWriter, r *http.Request) {
	var body enrollRequest
	if err := decode(r, &body); err != nil {
		ca.refuse(w, r, err)
		return
	}
	enrolment, err := ca.enroll(r.Context(), callOf(r).network, body.Token, body.CSR, body.SigningCSR)
	if err != nil {
		ca.denied(r, err)
		problemOf(err).withToken(err).write(w)
		return
	}
	reply(w, http.StatusCreated, enrolment)
}

func (ca *CA) postRenew(w http.ResponseWriter, r *http.Request) {
	c := callOf(r)
	if c.peer == nil {
		ca.refuse(w, r, identity.Refuse(identity.BadCert, "a renewal needs the certificate that is renewed"))
		return
	}
	var body enrollRequest
	if err := decode(r, &body); err != nil {
		ca.refuse(w, r, err)
		return
	}
	enrolment, err := ca.renew(r.Context(), c.network, c.peer, body.CSR, body.SigningCSR)
	if err != nil {
		ca.refuse(w, r, err)
		return
	}
	reply(w, http.StatusCreated, enrolment)
}

func (ca *CA) postHeads(w http.ResponseWriter, r *http.Request) {
	c := callOf(r)
	if c.peer == nil {
		ca.refuse(w, r, identity.Refuse(identity.BadCert, "only registries report heads, and they show their certificate"))
		return
	}
	body, err := read(r)
	if err != nil {
		ca.refuse(w, r, err)
		return
	}
	mark, elsewhere, err := ca.reportHead(r.Context(), c.network, c.peer, body)
	switch {
	case err != nil:
		ca.refuse(w, r, err)
	case elsewhere:
		reply(w, http.StatusConflict, mark)
	default:
		reply(w, http.StatusOK, mark)
	}
}

// getRoot hands out a root to a machine that knows its fingerprint and nothing
// else yet.
func (ca *CA) getRoot(w http.ResponseWriter, r *http.Request) {
	asked := strings.ToLower(strings.ReplaceAll(chi.URLParam(r, "sha"), "-", ""))
	if asked != fingerprint(callOf(r).network.root) {
		ca.refuse(w, r, identity.Refuse(identity.NotFound, "no root of the network has this fingerprint"))
		return
	}
	api.Root(w, r)
}
