package jetpay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"tolem/config"
	"tolem/signing"
)

const (
	gatePath    = "/v2/payment/status"
	gateTimeout = 10 * time.Second
)

// Gate asks JetPay's Gate for the status of payments. It is safe for concurrent
// use.
type Gate struct {
	url  string
	keys map[string]*signing.Key
	http *http.Client
}

// NewGate makes a client of the configured Gate, nil if none is configured.
// Requests are signed with the first secret of their project.
func NewGate(c config.JetPay) (*Gate, error) {
	if c.GateURL == "" {
		return nil, nil
	}
	g := &Gate{
		url:  strings.TrimSuffix(c.GateURL, "/") + gatePath,
		keys: make(map[string]*signing.Key, len(c.Projects)),
		http: &http.Client{
			Timeout: gateTimeout,
			// A request is signed for one address.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for _, configured := range c.Projects {
		p, err := NewProject(configured)
		if err != nil {
			return nil, err
		}
		g.keys[p.ID] = p.keys[0]
	}
	return g, nil
}

// Knows reports whether a project is configured.
func (g *Gate) Knows(project string) bool { return g.keys[project] != nil }

// Close closes the connections that are kept open.
func (g *Gate) Close() { g.http.CloseIdleConnections() }

// gateRequest is the body of the request, in general and nothing else.
type gateRequest struct {
	General gateGeneral `json:"general"`
}

type gateGeneral struct {
	ProjectID json.Number `json:"project_id"`
	PaymentID string      `json:"payment_id"`
	Signature string      `json:"signature,omitempty"`
}

// Status asks for a payment's status. Every error is a *GateError. The answer has
// what can be shown of it, also beside an error.
func (g *Gate) Status(ctx context.Context, project, paymentID string) (GateAnswer, error) {
	key := g.keys[project]
	if key == nil {
		return GateAnswer{}, gateFailed("its project is not configured any more")
	}
	body, err := gateBody(project, paymentID, key)
	if err != nil {
		return GateAnswer{}, gateFailed("the request cannot be written: " + err.Error())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return GateAnswer{}, gateFailed("jetpay.gate_url cannot be used")
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := g.http.Do(request)
	if err != nil {
		return GateAnswer{}, unreachable(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, signing.MaxBody+1))
	if err != nil {
		return GateAnswer{}, &GateError{HTTPStatus: response.StatusCode, reason: "the answer was cut short"}
	}
	return readGate(response.StatusCode, answer, paymentID)
}

func gateBody(project, paymentID string, key *signing.Key) ([]byte, error) {
	message := gateRequest{gateGeneral{ProjectID: json.Number(project), PaymentID: paymentID}}
	unsigned, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	if message.General.Signature, err = signing.Sign(unsigned, key); err != nil {
		return nil, err
	}
	return json.Marshal(message)
}
