package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tolem/topup"
)

// Results of what the audit has.
const (
	ResultDone     = "done"
	ResultProposed = "proposed" // it waits for a second person
	ResultRefused  = "refused"
)

// RoleCommand is the role of somebody who works on the server's own machine.
const RoleCommand = "command"

const (
	maxAuditObject = 255
	// maxAuditDetail has place for the ids of all transactions of a step.
	maxAuditDetail = 16 << 10
)

// Audited is what somebody did, for the audit; [By] has who, and why.
type Audited struct {
	Action Action
	Object string // the id of what it was done to; never a customer's
	Result string // one of the Result constants
	Detail string // the ids of what it made, or why it was refused
}

// AuditEntry is an entry of the audit.
type AuditEntry struct {
	ID int64
	At time.Time
	// Actor is proven: the name of the token, or the system's user. ActingAs is
	// what a command was told with --actor, empty if that is the same.
	Actor, ActingAs string
	Role            string // of the token, or RoleCommand
	Action          string
	Object          string
	Reason          string
	Result          string
	Detail          string
	RequestID       string
}

// Audit writes an entry that belongs to no write of the store's own, such as a
// refusal at the edge or a new configuration.
func (s *Store) Audit(ctx context.Context, by By, a Audited) error {
	err := s.writer.do(ctx, func(tx *wtx) error { return tx.audit(by, a) })
	if err != nil {
		return fmt.Errorf("write the audit: %w", err)
	}
	return nil
}

// auditRefusal writes a refusal of KindConflict or KindForbidden into the audit,
// and returns it. When that fails, its error is returned instead: no refusal is
// reported that the audit does not have.
func (s *Store) auditRefusal(ctx context.Context, by By, action Action, object string, refusal error) error {
	proposed := (*ProposedError)(nil)
	kind := kindOfRefusal(refusal)
	if errors.As(refusal, &proposed) || (kind != topup.KindConflict && kind != topup.KindForbidden) {
		return refusal
	}
	if err := s.Audit(ctx, by, Audited{action, object, ResultRefused, refusal.Error()}); err != nil {
		return err
	}
	return &auditedError{refusal}
}

// auditRefusedImport writes into the audit that an import was refused, for whatever
// reason, and returns the refusal. An import that was interrupted, or that the
// database could not take, was not refused.
func (s *Store) auditRefusedImport(ctx context.Context, by By, action Action, object string, refusal error) error {
	if ctx.Err() != nil || kindOfRefusal(refusal) == topup.KindUnavailable || IsAudited(refusal) {
		return refusal
	}
	if err := s.Audit(ctx, by, Audited{action, object, ResultRefused, refusal.Error()}); err != nil {
		return fmt.Errorf("%w; nothing was imported: %v", err, refusal)
	}
	return &auditedError{refusal}
}

// auditedError is a refusal that the audit has.
type auditedError struct{ error }

func (e *auditedError) Unwrap() error { return e.error }

// IsAudited reports whether an error of the store is a refusal that the audit has
// already.
func IsAudited(err error) bool { return errors.As(err, new(*auditedError)) }

// audit writes an entry.
func (tx *wtx) audit(by By, a Audited) error {
	actor, actingAs := by.Actor, ""
	if !by.Token && by.OSUser != "" {
		actor = by.OSUser
		if by.Actor != by.OSUser {
			actingAs = by.Actor
		}
	}
	err := tx.gorm().Exec(`INSERT INTO audit (at, actor, acting_as, role, action, object, reason, result, detail, request_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		micros(tx.now()), actor, actingAs, by.Role, string(a.Action), auditText(a.Object, maxAuditObject), by.Reason, a.Result,
		auditText(a.Detail, maxAuditDetail), auditText(by.RequestID, maxAuditObject)).Error
	if err != nil {
		return fmt.Errorf("write the audit: %w", err)
	}
	return nil
}

// auditText is a text of at most so many bytes that any database accepts.
func auditText(text string, most int) string {
	text = strings.ReplaceAll(text, "\x00", "")
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "")
}

// transactionIDs names ledger transactions in the audit.
func transactionIDs(list []topup.Transaction) string {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return strings.Join(ids, " ")
}

// AuditFilter selects entries of the audit. Zero members select everything.
type AuditFilter struct {
	From, To time.Time // From is part of it, To is not
	Actor    string    // the proven one, or the one of --actor
	Limit    int       // 1 to 500, 50 if zero
	Cursor   string    // what the page before returned as next
}

const auditColumns = `id, at, actor, acting_as, role, action, object, reason, result, detail, request_id`

// AuditEntries returns a page of the audit, the newest first, and the cursor of
// the next page, empty when this is the last. Every page is read from an index.
func (s *Store) AuditEntries(ctx context.Context, f AuditFilter) (page []AuditEntry, next string, err error) {
	limit, err := pageSize(f.Limit, defaultPage, maxPage)
	if err != nil {
		return nil, "", err
	}
	query, args, err := f.query(limit + 1)
	if err != nil {
		return nil, "", err
	}
	rows, err := s.raw(ctx, query, args...).Rows()
	if err != nil {
		return nil, "", fmt.Errorf("list the audit: %w", err)
	}
	defer func() {
		if closing := rows.Close(); closing != nil {
			err = errors.Join(err, fmt.Errorf("list the audit: %w", closing))
		}
	}()
	for rows.Next() {
		var e AuditEntry
		var at int64
		if err := rows.Scan(&e.ID, &at, &e.Actor, &e.ActingAs, &e.Role, &e.Action, &e.Object, &e.Reason, &e.Result, &e.Detail, &e.RequestID); err != nil {
			return nil, "", fmt.Errorf("list the audit: %w", err)
		}
		e.At = fromMicros(at)
		page = append(page, e)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("list the audit: %w", err)
	}
	if len(page) > limit {
		page = page[:limit]
		last := page[limit-1]
		next = encodeCursor(strconv.FormatInt(micros(last.At), 10), strconv.FormatInt(last.ID, 10))
	}
	return page, next, nil
}

// query reads at most so many entries.
func (f AuditFilter) query(most int) (string, []any, error) {
	where, with := "1 = 1", []any(nil)
	and := func(condition string, values ...any) { where, with = where+" AND "+condition, append(with, values...) }
	if !f.From.IsZero() {
		and("at >= ?", micros(f.From))
	}
	if !f.To.IsZero() {
		and("at < ?", micros(f.To))
	}
	if f.Cursor != "" {
		at, id, err := parseAuditCursor(f.Cursor)
		if err != nil {
			return "", nil, err
		}
		and("(at, id) < (?, ?)", at, id)
	}
	newest := func(more string) string {
		return `SELECT ` + auditColumns + ` FROM audit WHERE ` + more + where + ` ORDER BY at DESC, id DESC LIMIT ?`
	}
	with = append(with, most)
	if f.Actor == "" {
		return newest(""), with, nil
	}
	if len(f.Actor) > maxActorBytes {
		return "", nil, topup.Invalid("actor", "must be at most %d bytes long", maxActorBytes)
	}
	// Each half reads its own index.
	query := `SELECT ` + auditColumns + ` FROM (SELECT * FROM (` + newest("actor = ? AND ") + `) x
		UNION ALL SELECT * FROM (` + newest("acting_as = ? AND acting_as <> '' AND ") + `) found) e ORDER BY at DESC, id DESC LIMIT ?`
	half := append([]any{f.Actor}, with...)
	return query, append(append(append([]any{}, half...), half...), most), nil
}

func parseAuditCursor(cursor string) (at, id int64, err error) {
	parts, err := decodeCursor(cursor, 2)
	if err != nil {
		return 0, 0, err
	}
	at, wrongAt := strconv.ParseInt(parts[0], 10, 64)
	id, wrongID := strconv.ParseInt(parts[1], 10, 64)
	if cmp.Or(wrongAt, wrongID) != nil {
		return 0, 0, errCursor()
	}
	return at, id, nil
}
