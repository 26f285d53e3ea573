package billing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"tolem/config"
	"tolem/topup"
	"tolem/webhook"
)

const (
	// Placeholder is the part of the URL in which the customer's id is put.
	Placeholder = config.CustomerIDPlaceholder
	// maxAnswer bounds an account record in bytes.
	maxAnswer = 1 << 20
	// maxConnections bounds the requests that billing has to answer at once.
	maxConnections = 32
)

// errUnknown is billing's 404.
var errUnknown = errors.New("billing does not know the customer")

// client makes the requests. It is safe for concurrent use.
type client struct {
	url       string
	signer    webhook.Signer
	normalize topup.Normalizer
	http      *http.Client
	now       func() time.Time
}

func newClient(c config.AccountsHTTP, normalize topup.Normalizer, now func() time.Time) (*client, error) {
	signer, err := webhook.NewSigner(c.Secret)
	if err != nil {
		return nil, fmt.Errorf("accounts.http: %w", err)
	}
	return &client{url: c.URL, signer: signer, normalize: normalize, now: now, http: webhook.NewClient(maxConnections, c.Timeout)}, nil
}

// account asks for a customer, whose id is normalised. The error is errUnknown
// for 404. No error repeats an id, a URL or anything of an answer.
func (c *client) account(ctx context.Context, customerID string) (*topup.Account, error) {
	now := c.now()
	id := "msg_" + ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String()
	// In a path and in a query: a blank is %20, and nothing else is left that means something.
	escaped := strings.ReplaceAll(url.QueryEscape(customerID), "+", "%20")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.ReplaceAll(c.url, Placeholder, escaped), nil)
	if err != nil {
		return nil, errors.New("accounts.http.url is not usable")
	}
	request.Header.Set("Accept", "application/json")
	if err := c.signer.Sign(request, id, now, nil); err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("request: %w", webhook.Reason(err))
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		_, _ = io.CopyN(io.Discard, response.Body, 4<<10) // so that the connection is used again
		return nil, errUnknown
	default:
		return nil, fmt.Errorf("billing answered HTTP %d", response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", webhook.Reason(err))
	}
	if len(data) > maxAnswer {
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	return c.record(data, customerID)
}

// record reads an account record, which must be the customer's.
func (c *client) record(data []byte, customerID string) (*topup.Account, error) {
	account, problems := topup.ParseRecord(data)
	if len(problems) > 0 {
		return nil, fmt.Errorf("the answer is no account record: %w", withoutNames(problems))
	}
	account.CustomerID = c.normalize.Apply(account.CustomerID)
	if account.CustomerID != customerID {
		return nil, errors.New("the answer is the record of another customer")
	}
	return &account, nil
}

// members are those of an account record.
var members = []string{"record", "customer_id", "additional_customer_id", "currency", "closed", "entities", "id", "number", "payment", "min_payment", "info"}

// withoutNames joins what is wrong with a record. The name of a member that records
// do not have may be an id, and is left out.
func withoutNames(problems []error) error {
	shown := make([]error, len(problems))
	for i, problem := range problems {
		shown[i] = problem
		if broken := (*topup.Error)(nil); errors.As(problem, &broken) {
			name, _, _ := strings.Cut(broken.Field[strings.LastIndexByte(broken.Field, '.')+1:], "[")
			if !slices.Contains(members, name) {
				shown[i] = errUnknownMember
			}
		}
	}
	return errors.Join(shown...)
}

var errUnknownMember = errors.New("a member is not one of an account record")
