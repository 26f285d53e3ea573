package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Faults are failures that the sandbox simulates. The zero value has none.
type Faults struct {
	// Down cuts the connection before anything is done, without an answer.
	Down bool `json:"down"`
	// Slow answers later, after the work is done.
	Slow time.Duration `json:"slow"` // in JSON: nanoseconds
	// Garbage does the work, and answers 200 and something that is not JSON.
	Garbage bool `json:"garbage"`
	// Cut does the work and cuts the connection instead of answering.
	Cut bool `json:"cut"`
	// Status, if not 0, does the work and answers with this HTTP status.
	Status int `json:"status"`
	// Mute drops all further alerts: results must be polled.
	Mute bool `json:"mute"`
	// Calls are what the faults of calls concern: payin, info, confirm, cancel.
	// Empty: all of them.
	Calls []string `json:"calls,omitempty"`
}

// The calls, as Faults names them.
const (
	callPayin   = "payin"
	callInfo    = "info"
	callConfirm = "confirm"
	callCancel  = "cancel"
)

// maxSlow bounds Faults.Slow.
const maxSlow = 5 * time.Minute

// SetFaults replaces the faults.
func (s *Sandbox) SetFaults(f Faults) error {
	for _, call := range f.Calls {
		if !slices.Contains([]string{callPayin, callInfo, callConfirm, callCancel}, call) {
			return fmt.Errorf("sandbox: faults: calls: %q is none of payin, info, confirm, cancel", call)
		}
	}
	if f.Slow < 0 || f.Slow > maxSlow {
		return fmt.Errorf("sandbox: faults: slow: must be between 0 and %s", maxSlow)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("sandbox: faults: status: must be an HTTP status, got %d", f.Status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
	return nil
}

// faultsOf are the faults that concern a call.
func (s *Sandbox) faultsOf(call string) Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults.Calls) > 0 && !slices.Contains(s.faults.Calls, call) {
		return Faults{}
	}
	return s.faults
}

// spoil answers instead of the call, and reports whether it has.
func (f Faults) spoil(w http.ResponseWriter, r *http.Request) bool {
	if f.Slow > 0 {
		timer := time.NewTimer(f.Slow)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
	}
	switch {
	case f.Cut:
		panic(http.ErrAbortHandler) // net/http: closes the connection, logs nothing
	case f.Status != 0:
		http.Error(w, "a fault on purpose", f.Status)
		return true
	case f.Garbage:
		fmt.Fprint(w, "<html>it works</html>")
		return true
	}
	return false
}

// control reads and sets the faults as JSON.
func (s *Sandbox) control(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		var f Faults
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&f); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := s.SetFaults(f); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
	}
	s.mu.Lock()
	f := s.faults
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, f)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := encode(value)
	if err != nil {
		http.Error(w, "cannot encode the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client has disconnected
}
