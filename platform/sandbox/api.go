package sandbox

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"

	"go.uber.org/zap"

	"tolem/signing"
)

// Headers of requests, and the default ones of alerts (HighHelp,
// "Authentication and Signature").
const (
	headerTimestamp = "x-access-timestamp"
	headerMerchant  = "x-access-merchant-id"
	headerToken     = "x-access-token"
	headerSignature = "x-access-signature"
)

// call does one call of the API on a request that is signed and decoded.
type call func(p *Project, r *request, base string) (answer, error)

// refusal is a "no" of the API.
type refusal struct {
	status int // HTTP
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// api makes a handler of a call.
func (s *Sandbox) api(name string, do call) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		faults := s.faultsOf(name)
		if faults.Down {
			panic(http.ErrAbortHandler) // net/http: closes the connection, logs nothing
		}
		a, err := s.serve(w, r, do)
		status := http.StatusOK
		if err != nil {
			var no *refusal
			if !errors.As(err, &no) {
				no = &refusal{http.StatusInternalServerError, err.Error()}
			}
			status, a.Status, a.Description = no.status, statusError, &no.text
			s.o.Log.Info("refused", zap.String("call", name), zap.Int("status", status), zap.String("why", no.text))
		}
		if faults.spoil(w, r) {
			return
		}
		writeJSON(w, status, a)
	})
}

// serve checks and does a call. With an error the answer names the payment as
// far as it is known.
func (s *Sandbox) serve(w http.ResponseWriter, r *http.Request, do call) (answer, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return answer{}, refuse(http.StatusRequestEntityTooLarge, "the body cannot be read: %v", err)
	}
	parsed, err := signing.Parse(body)
	if err != nil {
		return answer{}, refuse(http.StatusBadRequest, "%v", err)
	}
	defer parsed.Release()
	project, err := s.authenticate(parsed, r.Header)
	if err != nil {
		return answer{}, err
	}
	decoded, err := decodeRequest(body)
	if err != nil {
		return answer{ProjectID: project.ID}, refuse(http.StatusBadRequest, "%v", err)
	}
	named := answer{ProjectID: project.ID, PaymentID: decoded.General.PaymentID}
	a, err := do(project, decoded, s.base(r))
	if err != nil {
		return named, err
	}
	return a, nil
}

// authenticate finds the project and checks who signed. The body then has a
// general.project_id.
func (s *Sandbox) authenticate(body *signing.Body, h http.Header) (*Project, error) {
	id, _ := body.Lookup("general:project_id")
	p := s.projects[id.Text()]
	if p == nil {
		return nil, refuse(http.StatusUnauthorized, "general.project_id: no such project")
	}
	if h.Get(headerMerchant) != p.MerchantID {
		return nil, refuse(http.StatusUnauthorized, "%s: not that of the project", headerMerchant)
	}
	if p.AccessToken != "" && subtle.ConstantTimeCompare([]byte(h.Get(headerToken)), []byte(p.AccessToken)) == 0 {
		return nil, refuse(http.StatusUnauthorized, "%s: not that of the project", headerToken)
	}
	_, err := body.VerifyHighHelp(p.Requests, h.Get(headerSignature), h.Get(headerTimestamp), p.RequestDialect)
	if err != nil {
		return nil, refuse(http.StatusUnauthorized, "%s: %v (the dialect is %s)", headerSignature, err, p.RequestDialect)
	}
	return p, nil
}

// base is where the payer's browser reaches the sandbox.
func (s *Sandbox) base(r *http.Request) string {
	if s.o.PublicURL != "" {
		return s.o.PublicURL
	}
	return "http://" + r.Host
}

func (s *Sandbox) create(project *Project, r *request, base string) (answer, error) {
	played, chosen, err := r.check()
	if err != nil {
		return answer{}, refuse(http.StatusBadRequest, "%v", err)
	}
	p, err := s.newPayin(project, r, base)
	if err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return answer{}, refuse(http.StatusServiceUnavailable, "the sandbox is being closed")
	}
	if s.payins[p.key()] != nil {
		return answer{}, refuse(http.StatusConflict, "general.payment_id: is taken")
	}
	if played != nil {
		p.play(played, chosen)
	}
	s.keep(p)
	return p.answer(), nil
}

func (s *Sandbox) info(project *Project, r *request, _ string) (answer, error) {
	var a answer
	err := s.named(project, r, func(p *payin) error {
		a = p.answer()
		a.PaymentInfo = p.paymentInfo(false)
		return nil
	})
	return a, err
}

func (s *Sandbox) confirm(project *Project, r *request, _ string) (answer, error) {
	return s.acknowledged(project, r, (*transition).confirm)
}

func (s *Sandbox) cancel(project *Project, r *request, _ string) (answer, error) {
	return s.acknowledged(project, r, (*transition).cancel)
}

// acknowledged answers with the status before anything was done: the outcome is
// sent as an alert.
func (s *Sandbox) acknowledged(project *Project, r *request, do func(*transition) error) (answer, error) {
	var a answer
	err := s.named(project, r, func(p *payin) error {
		a = p.answer()
		a.Integration = nil
		if p.scenario == nil || !p.scenario.Mobile {
			return refuse(http.StatusConflict, "confirm and cancel are for mobile commerce")
		}
		return s.transact(p, do)
	})
	return a, err
}

// named finds the pay-in of a request, and keeps it to itself meanwhile.
func (s *Sandbox) named(project *Project, r *request, work func(*payin) error) error {
	if err := r.checkNamed(); err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.payins[key{project.ID, r.General.PaymentID}]
	if p == nil {
		return refuse(http.StatusNotFound, "general.payment_id: no such payment")
	}
	return work(p)
}
