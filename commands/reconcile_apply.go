package commands

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tolem/commands/internal/console"
	"tolem/jetpay"
	"tolem/jetpay/dataapi"
	reportmaps "tolem/maps"
	"tolem/reconcile"
	"tolem/reportfile"
	"tolem/store"
	"tolem/topup"
)

// applied is what --apply has done.
type applied struct {
	Credited  int      `json:"credited"`
	Proposals []string `json:"proposals,omitempty"`
	NotDone   []string `json:"not_confirmed,omitempty"` // and why
}

// apply credits what the report calls paid: count and sum are shown before.
func (c *comparison) apply(ctx context.Context, b console.Books) error {
	c.applied = &applied{}
	list, err := c.candidates()
	if err != nil {
		return err
	}
	if list, err = c.confirmed(ctx, b, list); err != nil {
		return err
	}
	if err := c.announce(list); err != nil {
		return err
	}
	if err := c.nameSources(list); err != nil {
		return err
	}
	step := store.ApplyReportStep{Provider: c.Provider, Project: string(c.Project)}
	for _, credit := range list {
		step.List = append(step.List, credit.ReportedCredit)
	}
	c.applied.Credited, err = b.ApplyReport(ctx, step, c.by)
	if proposed := (*store.ProposedError)(nil); errors.As(err, &proposed) {
		c.applied.Proposals = append(c.applied.Proposals, proposed.ApprovalID)
	} else if err != nil {
		return err
	}
	c.engine.Settle(reconcile.StatusDiffers, c.applied.Credited)
	return nil
}

// candidate is a line that may be applied.
type candidate struct {
	topup.ReportedCredit
	line reconcile.Line
}

// audit writes into the audit what became of --apply, beside the credits, each of
// which it has already. It returns the error of the run.
func (c *comparison) audit(ctx context.Context, b console.Books, ended error) error {
	if ctx.Err() != nil {
		return ended
	}
	names := make([]string, len(c.Files))
	for i, file := range c.Files {
		names[i] = shortName(file)
	}
	a := store.Audited{Action: "reconcile", Object: cmp.Or(strings.Join(names, " "), "Data API"), Result: store.ResultDone}
	switch {
	case ended != nil && !errors.Is(ended, console.ErrAnswered):
		a.Result, a.Detail = store.ResultRefused, withoutContent(ended)
		if refusal := (*topup.Error)(nil); errors.As(ended, &refusal) {
			a.Detail = refusal.Error()
		}
	default:
		a.Detail = fmt.Sprintf("%d credited, %d proposed, %d not confirmed", c.applied.Credited, len(c.applied.Proposals), len(c.applied.NotDone))
	}
	if err := b.Audit(ctx, c.by, a); err != nil {
		return errors.Join(ended, err)
	}
	return ended
}

// candidates are the lines that --apply is for. A payment that has several is for
// a person to decide.
func (c *comparison) candidates() (list []candidate, err error) {
	lines := map[string]int{}
	err = c.engine.Each(func(d reconcile.Difference) error {
		l, p := d.Line, d.Payment
		if d.Kind != reconcile.StatusDiffers || d.Entry != nil || l == nil || p == nil || l.Type != reportfile.Payment || l.Status != reportfile.Paid ||
			p.Taken || p.InSuspense || p.Status != string(topup.StatusPending) && p.Status != string(topup.StatusExpired) ||
			l.Amount != p.Amount || l.Currency != p.Currency {
			return nil
		}
		if l.Operation == "" {
			c.notDone("%s: it names no operation", c.place(l))
			return nil
		}
		lines[p.PaymentID]++
		list = append(list, candidate{topup.ReportedCredit{PaymentID: p.PaymentID, Operation: l.Operation, Amount: l.Amount, Currency: l.Currency, At: l.At}, *l})
		return nil
	})
	return slices.DeleteFunc(list, func(k candidate) bool {
		if lines[k.PaymentID] > 1 {
			c.notDone("%s: payment %s has %d paid lines", c.place(&k.line), k.PaymentID, lines[k.PaymentID])
		}
		return lines[k.PaymentID] > 1
	}), err
}

func (c *comparison) notDone(format string, args ...any) {
	c.applied.NotDone = append(c.applied.NotDone, fmt.Sprintf(format, args...))
}

// confirmed leaves what the platform itself confirms, where it can be asked. What
// the Data API has said needs no confirmation.
func (c *comparison) confirmed(ctx context.Context, b console.Books, list []candidate) ([]candidate, error) {
	if len(c.Files) == 0 {
		return list, nil
	}
	gate, err := jetpay.NewGate(b.Config.JetPay)
	if err != nil {
		return nil, err
	}
	ask := func(context.Context, candidate) (string, error) { return "", nil }
	switch {
	case gate != nil:
		defer gate.Close()
		ask = func(ctx context.Context, k candidate) (string, error) {
			return askGate(ctx, gate, string(c.Project), k)
		}
	case c.api != nil:
		asked := &confirmation{comparison: c, read: map[time.Time]map[string]reportfile.Row{}}
		ask = asked.ask
	}
	var kept []candidate
	for _, k := range list {
		refusal, err := ask(ctx, k)
		if err != nil {
			return nil, console.NoVerdict(fmt.Errorf("nothing was credited: %w", err))
		}
		if refusal != "" {
			c.notDone("%s: payment %s: %s", c.place(&k.line), k.PaymentID, refusal)
			continue
		}
		kept = append(kept, k)
	}
	return kept, nil
}

// askGate says why the Gate does not confirm a line, empty if it does.
func askGate(ctx context.Context, gate *jetpay.Gate, project string, k candidate) (string, error) {
	answer, err := gate.Status(ctx, project, k.PaymentID)
	if jetpay.IsUnusable(err) {
		return "the Gate's answer cannot be used: " + err.Error(), nil
	}
	if err != nil {
		return "", fmt.Errorf("the Gate could not be asked about payment %s: %w", k.PaymentID, err)
	}
	switch {
	case answer.Status != jetpay.GateSucceeded:
		return "the Gate does not call it paid: " + cmp.Or(answer.StatusValue, string(answer.Status)), nil
	case answer.Operation != k.Operation:
		return "the Gate has operation " + cmp.Or(answer.Operation, "none"), nil
	case answer.Sum != topup.Money{Amount: k.Amount, Currency: k.Currency}:
		return "the Gate has " + answer.Sum.String(), nil
	}
	return "", nil
}

// confirmation asks the Data API about lines of a file, for the hours around them.
type confirmation struct {
	*comparison
	read map[time.Time]map[string]reportfile.Row
}

func (a *confirmation) ask(ctx context.Context, k candidate) (string, error) {
	if k.At.IsZero() {
		return "the report has no time by which the Data API could be asked", nil
	}
	middle := k.At.UTC().Truncate(dataapi.Hour)
	for _, from := range []time.Time{middle, middle.Add(-dataapi.Hour), middle.Add(dataapi.Hour)} {
		if from.After(a.api.LastHour()) {
			continue
		}
		rows, err := a.hour(ctx, from)
		if err != nil {
			return "", err
		}
		row, has := rows[k.Operation]
		switch {
		case !has:
			continue
		case row.Type != reportfile.Payment || row.Status != reportfile.Paid:
			return "the Data API does not call it paid: " + row.StatusText, nil
		case row.Payment != k.PaymentID:
			return "the Data API has it for payment " + console.Printable(row.Payment), nil
		case row.Amount != k.Amount || row.Currency != k.Currency:
			return "the Data API has " + money(row.Amount, row.Currency), nil
		}
		return "", nil
	}
	return "the Data API has no such operation in the hours around it", nil
}

func (a *confirmation) hour(ctx context.Context, from time.Time) (map[string]reportfile.Row, error) {
	if rows, has := a.read[from]; has {
		return rows, nil
	}
	answer, err := a.api.Operations(ctx, []string{string(a.Project)}, from)
	if err != nil {
		return nil, err
	}
	how, err := reportmaps.Load("jetpay-dataapi")
	if err != nil {
		return nil, err
	}
	rows, err := reportfile.Open(bytes.NewReader(answer), int64(len(answer)), how)
	if err != nil {
		return nil, err
	}
	found := map[string]reportfile.Row{}
	err = rows.Each(ctx, func(row *reportfile.Row) error {
		found[row.Operation] = *row
		return nil
	})
	a.read[from] = found
	return found, errors.Join(err, rows.Close())
}

// announce shows how many payments are credited with which sums, before they are.
func (c *comparison) announce(list []candidate) error {
	if c.JSON {
		return nil
	}
	sums := map[string]int64{}
	for _, k := range list {
		sums[k.Currency] += k.Amount
	}
	text := fmt.Sprintf("to be credited: %s", console.Counted(int64(len(list)), "payment"))
	for _, currency := range slices.Sorted(maps.Keys(sums)) {
		text += ", " + money(sums[currency], currency)
	}
	return c.program.Println(text)
}

// nameSources writes into each credit where its line is: the file with its
// SHA-256, and the line.
func (c *comparison) nameSources(list []candidate) error {
	sums := make([]string, len(c.Files))
	for i := range list {
		k := &list[i]
		if len(c.Files) == 0 {
			k.Source = fmt.Sprintf("Data API, hour from %s UTC, SHA-256 %x, operation %s", c.hours[k.line.File].from.Format("2006-01-02 15:04"), c.hours[k.line.File].sum, k.Operation)
			continue
		}
		file := k.line.File
		if sums[file] == "" {
			sum, err := checksum(c.Files[file])
			if err != nil {
				return err
			}
			sums[file] = sum
		}
		k.Source = fmt.Sprintf("%s, SHA-256 %s, line %d", shortName(c.Files[file]), sums[file], k.line.Line)
	}
	return nil
}

// shortName is the name of a file without folders, at most 100 bytes of it.
func shortName(path string) string {
	name := console.Printable(filepath.Base(path))
	for len(name) > 100 {
		runes := []rune(name)
		name = string(runes[:len(runes)-1])
	}
	return name
}

func checksum(path string) (sum string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}

func (c *comparison) printApplied() error {
	lines := []string{"credited: " + console.Counted(int64(c.applied.Credited), "payment")}
	for _, id := range c.applied.Proposals {
		lines = append(lines, "proposed: "+id+": another person approves it with approvals approve")
	}
	for i, text := range c.applied.NotDone {
		if i == shownDifferences {
			lines = append(lines, fmt.Sprintf("and %d more that were not credited", len(c.applied.NotDone)-i))
			break
		}
		lines = append(lines, "not credited: "+text)
	}
	for _, line := range lines {
		if err := c.program.Println(line); err != nil {
			return err
		}
	}
	return nil
}
