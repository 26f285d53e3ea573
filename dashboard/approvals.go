package dashboard

import (
	"context"
	"net/http"

	"tolem/store"
)

type approvalsPage struct {
	All       bool
	Approvals []store.Approval
	NextURL   string
	FirstURL  string
}

// approvals lists the steps that wait for a second person.
func (d *Dashboard) approvals(w http.ResponseWriter, r *http.Request, s *session) error {
	q := r.URL.Query()
	body := approvalsPage{All: q.Get("all") == "1"}
	list, next, err := d.store.Approvals(r.Context(), store.ApprovalFilter{Open: !body.All, Cursor: q.Get("cursor"), Limit: suspenseRows})
	if err != nil {
		return err
	}
	body.Approvals = list
	body.NextURL, body.FirstURL = pageURLs(r, next)
	p := d.page(w, r, s, "approvals.title")
	p.Section = "approvals"
	d.show(w, r, http.StatusOK, "approvals", p, body)
	return nil
}

// pageURLs are the addresses of the next page of a list, and of the first one when
// this is another.
func pageURLs(r *http.Request, next string) (nextURL, firstURL string) {
	q := r.URL.Query()
	q.Del("lang")
	cursor := q.Get("cursor")
	q.Del("cursor")
	if cursor != "" {
		firstURL = r.URL.Path + "?" + q.Encode()
	}
	if next != "" {
		q.Set("cursor", next)
		nextURL = r.URL.Path + "?" + q.Encode()
	}
	return nextURL, firstURL
}

// previewApproval is what approving a proposal would post now.
func previewApproval(ctx context.Context, d *Dashboard, q *stepRequest) ([]effect, error) {
	would, err := d.store.PreviewApproval(ctx, q.id)
	if err != nil {
		return nil, err
	}
	return []effect{{Transactions: would, Money: moved(would)}}, nil
}
