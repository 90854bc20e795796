package registry

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/neurons-me/netget/discovery"
)

// A readiness is the body of /readyz.
type readiness struct {
	Status   string             `json:"status"` // "ok" or "unavailable"
	Networks []networkReadiness `json:"networks"`
}

// A networkReadiness says whether one network can be asked.
type networkReadiness struct {
	Network string `json:"network"`
	Version int64  `json:"version"`
	Ready   bool   `json:"ready"`
	Reason  string `json:"reason,omitempty"`
}

// Ready returns the page that says whether every network can be asked: /readyz
// of the operations port, 503 when one cannot.
func (s *Server) Ready() http.Handler { return http.HandlerFunc(s.readyz) }

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	r := s.readiness()
	body, err := json.Marshal(r)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", jsonType)
	if r.Status != "ok" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(append(body, '\n')) // whoever asked may be gone
}

// readiness judges the server: it is not stopping, and every network has a head
// that clients would take.
func (s *Server) readiness() readiness {
	r := readiness{Status: "ok", Networks: []networkReadiness{}}
	if s.ending.Err() != nil {
		r.Status = "unavailable"
	}
	for _, n := range s.tenants {
		one := n.readiness(s.cfg.Now())
		if !one.Ready {
			r.Status = "unavailable"
		}
		r.Networks = append(r.Networks, one)
	}
	return r
}

func (n *network) readiness(now time.Time) networkReadiness {
	r := networkReadiness{Network: n.name()}
	snap := n.catalog.Snapshot()
	if snap == nil {
		r.Reason = "the catalog is not open"
		return r
	}
	head := snap.Head()
	r.Version = head.Version
	if err := n.catalog.Err(); err != nil {
		r.Reason = err.Error()
		return r
	}
	if now.Sub(time.Unix(head.IAT, 0)) > discovery.HeadLife {
		r.Reason = "the head is not being signed any more"
		return r
	}
	r.Ready = true
	return r
}
