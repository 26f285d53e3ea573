package platform

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"tolem/signing"
	"tolem/topup"
)

// DataOperation is an operation as JetPay's Data API has it.
type DataOperation struct {
	ProjectID   int64
	Operation   string
	PaymentID   string
	Type        string // empty: sale
	Status      string // empty: success
	Sum         topup.Money
	CompletedAt time.Time // zero: not yet
	// ChangedAt is the time by which intervals select; zero: CompletedAt.
	ChangedAt time.Time
}

func (o DataOperation) changed() time.Time {
	if o.ChangedAt.IsZero() {
		return o.CompletedAt
	}
	return o.ChangedAt
}

// DataAPI plays JetPay's Data API: POST /operations/get, signed both ways. It is
// safe for concurrent use.
type DataAPI struct {
	token string
	key   *signing.Key

	mu         sync.Mutex
	operations []DataOperation
	requests   int
	before     func(d *DataAPI, request int)
	spoil      func(answer []byte) []byte
}

// NewDataAPI makes one without operations.
func NewDataAPI(token, secret string) (*DataAPI, error) {
	key, err := signing.NewKey(secret)
	if err != nil {
		return nil, err
	}
	return &DataAPI{token: token, key: key}, nil
}

// Put adds an operation, or replaces the one of its project and id.
func (d *DataAPI) Put(o DataOperation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.operations = slices.DeleteFunc(d.operations, func(other DataOperation) bool {
		return other.ProjectID == o.ProjectID && other.Operation == o.Operation
	})
	d.operations = append(d.operations, o)
	slices.SortStableFunc(d.operations, func(a, b DataOperation) int {
		return cmp.Or(a.changed().Compare(b.changed()), cmp.Compare(a.Operation, b.Operation))
	})
}

// PutCallback adds the operation that a callback tells of.
func (d *DataAPI) PutCallback(body []byte) error {
	var callback struct {
		ProjectID int64 `json:"project_id"`
		Payment   struct {
			ID string `json:"id"`
		} `json:"payment"`
		Operation struct {
			ID     json.Number `json:"id"`
			Type   string      `json:"type"`
			Status string      `json:"status"`
			Date   string      `json:"date"`
			Sum    struct {
				Amount   int64  `json:"amount"`
				Currency string `json:"currency"`
			} `json:"sum_initial"`
		} `json:"operation"`
	}
	if err := json.Unmarshal(body, &callback); err != nil {
		return err
	}
	o := callback.Operation
	at, err := time.Parse(DateLayout, o.Date)
	if err != nil {
		return err
	}
	d.Put(DataOperation{
		ProjectID: callback.ProjectID, Operation: o.ID.String(), PaymentID: callback.Payment.ID, Type: o.Type, Status: o.Status,
		Sum: topup.Money{Amount: o.Sum.Amount, Currency: o.Sum.Currency}, CompletedAt: at,
	})
	return nil
}

// Requests is how many were answered.
func (d *DataAPI) Requests() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests
}

// Before calls a function before each request is answered, with its number from 1:
// rows can be moved while somebody reads them page by page.
func (d *DataAPI) Before(do func(d *DataAPI, request int)) { d.before = do }

// Spoil changes each answer once it is signed.
func (d *DataAPI) Spoil(do func(answer []byte) []byte) { d.spoil = do }

// dataRequest is the body of a request.
type dataRequest struct {
	Token     string  `json:"token"`
	ProjectID []int64 `json:"project_id"`
	Interval  struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"interval"`
	TZ     string `json:"tz"`
	Limit  int    `json:"limit"`
	Offset int    `json:"offset"`
}

// ServeHTTP answers POST /operations/get.
func (d *DataAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, signing.MaxBody))
	if err != nil {
		d.refuse(w, http.StatusBadRequest, "Bad Request", "the body cannot be read")
		return
	}
	d.mu.Lock()
	d.requests++
	n, before := d.requests, d.before
	d.mu.Unlock()
	if before != nil {
		before(d, n)
	}
	parsed, err := signing.Parse(body)
	if err != nil {
		d.refuse(w, http.StatusBadRequest, "Bad Request", "the body is no JSON")
		return
	}
	defer parsed.Release()
	if _, err := parsed.Verify(d.key); err != nil {
		d.refuse(w, http.StatusForbidden, "Forbidden", "invalid signature")
		return
	}
	var request dataRequest
	if err := json.Unmarshal(body, &request); err != nil || request.Token != d.token {
		d.refuse(w, http.StatusUnauthorized, "Unauthorized", "invalid token")
		return
	}
	from, err1 := time.Parse(time.DateTime, request.Interval.From)
	to, err2 := time.Parse(time.DateTime, request.Interval.To)
	if err1 != nil || err2 != nil || request.TZ != "UTC" || request.Limit < 1 || request.Limit > 1000 || request.Offset < 0 {
		d.refuse(w, http.StatusBadRequest, "Bad Request", "interval, tz, limit or offset is invalid")
		return
	}
	d.answer(w, d.page(request, from, to))
}

// page are the operations that a request selects.
func (d *DataAPI) page(r dataRequest, from, to time.Time) []map[string]any {
	d.mu.Lock()
	defer d.mu.Unlock()
	rows := []map[string]any{}
	skip := r.Offset
	for _, o := range d.operations {
		at := o.changed().UTC().Truncate(time.Second)
		if at.Before(from) || at.After(to) || len(r.ProjectID) > 0 && !slices.Contains(r.ProjectID, o.ProjectID) {
			continue
		}
		if skip--; skip >= 0 {
			continue
		}
		if len(rows) == r.Limit {
			break
		}
		rows = append(rows, o.row())
	}
	return rows
}

func (o DataOperation) row() map[string]any {
	completed := ""
	if !o.CompletedAt.IsZero() {
		completed = o.CompletedAt.UTC().Format(time.DateTime)
	}
	sum := map[string]any{"amount": o.Sum.Amount, "currency": o.Sum.Currency}
	return map[string]any{
		"project_id": strconv.FormatInt(o.ProjectID, 10), "operation_id": o.Operation, "payment_id": o.PaymentID,
		"operation_type": cmp.Or(o.Type, "sale"), "operation_status": cmp.Or(o.Status, "success"),
		"sum_initial": sum, "sum_converted": sum,
		"operation_created_at": o.changed().UTC().Format(time.DateTime), "operation_completed_at": completed,
	}
}

// answer signs the operations.
func (d *DataAPI) answer(w http.ResponseWriter, rows []map[string]any) {
	unsigned, err := json.Marshal(map[string]any{"operations": rows})
	if err != nil {
		d.refuse(w, http.StatusInternalServerError, "Internal Server Error", err.Error())
		return
	}
	signed, err := signing.Embed(unsigned, d.key)
	if err != nil {
		d.refuse(w, http.StatusInternalServerError, "Internal Server Error", err.Error())
		return
	}
	if d.spoil != nil {
		signed = d.spoil(signed)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(signed) // the client is gone then
}

func (d *DataAPI) refuse(w http.ResponseWriter, status int, name, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"name": name, "message": message, "code": 0, "status": status})
}
