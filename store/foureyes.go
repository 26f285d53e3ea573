package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tolem/topup"
)

const (
	// fourEyesKey is where meta keeps the actions that need a second person,
	// sorted, with blanks between.
	fourEyesKey = "four_eyes"
	fourEyesSQL = `SELECT value FROM meta WHERE key = '` + fourEyesKey + `'`

	// fourEyesLevel is the migration with which programs began to know of
	// four_eyes. While it is on, programs of a lower level are refused: their
	// commands would post what needs a second person.
	fourEyesLevel = 12
)

// FourEyesActions are the actions that four_eyes may name.
var FourEyesActions = []Action{
	ActionCredit, ActionRecord, ActionRefund, ActionRecall, ActionAssign, ActionReturn, ActionReverse, ActionSuspend, ActionPayout,
}

// SetFourEyes says which steps need a second person, from now on and for every
// process that works on the database; it returns those that did before. by is
// who changes it, for the audit.
func (s *Store) SetFourEyes(ctx context.Context, actions []Action, by By) (before []Action, err error) {
	words := make([]string, 0, len(actions))
	for _, a := range actions {
		if !slices.Contains(FourEyesActions, a) {
			return nil, topup.Invalid("four_eyes", "must be of %v", FourEyesActions)
		}
		words = append(words, string(a))
	}
	slices.Sort(words)
	next := strings.Join(slices.Compact(words), " ")
	var was string
	err = s.writer.do(ctx, func(tx *wtx) error {
		if err := tx.lockKey(fourEyesKey); err != nil {
			return err
		}
		var err error
		if was, err = tx.fourEyesValue(); err != nil || was == next {
			return err
		}
		if err := tx.gorm().Exec(`DELETE FROM meta WHERE key = ?`, fourEyesKey).Error; err != nil {
			return err
		}
		oldest := `(SELECT max(oldest_program) FROM schema_levels WHERE migration < ?)`
		if next != "" {
			if err := tx.gorm().Exec(`INSERT INTO meta (key, value) VALUES (?, ?)`, fourEyesKey, next).Error; err != nil {
				return err
			}
			oldest = `?`
		}
		err = tx.gorm().Exec(`UPDATE schema_levels SET oldest_program = `+oldest+` WHERE migration = ?`, fourEyesLevel, fourEyesLevel).Error
		if err != nil {
			return err
		}
		return tx.audit(by, Audited{"configure", fourEyesKey, ResultDone, "from [" + was + "] to [" + next + "]"})
	})
	if err != nil {
		return nil, fmt.Errorf("set four_eyes: %w", err)
	}
	return parseFourEyes(was), nil
}

// FourEyes returns the actions that need a second person.
func (s *Store) FourEyes(ctx context.Context) ([]Action, error) {
	value, err := s.metaValue(ctx, fourEyesKey)
	return parseFourEyes(value), err
}

func parseFourEyes(value string) (actions []Action) {
	for _, word := range strings.Fields(value) {
		actions = append(actions, Action(word))
	}
	return actions
}

func (tx *wtx) fourEyesValue() (string, error) {
	var values []string
	if err := tx.raw(fourEyesSQL).Scan(&values).Error; err != nil {
		return "", fmt.Errorf("read four_eyes of the database: %w", err)
	}
	return strings.Join(values, ""), nil
}

// underFourEyes reports whether steps of the action need a second person.
func (tx *wtx) underFourEyes(action Action) (bool, error) {
	value, err := tx.fourEyesValue()
	return slices.Contains(parseFourEyes(value), action), err
}
