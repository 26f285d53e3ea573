package commands

import (
	"errors"
	"strings"

	"github.com/alecthomas/kong"

	"tolem/topup"
)

// condition is the value of a selecting flag. An empty one is refused: a script
// whose variable is empty would get everything.
type condition string

// Decode is called by kong for a flag that is given.
func (c *condition) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("value", &text); err != nil {
		return err
	}
	if strings.TrimSpace(text) == "" {
		return errors.New("must not be empty; leave the flag out to select by something else")
	}
	*c = condition(text)
	return nil
}

// amountCondition selects by a sum in major units.
type amountCondition struct{ topup.Major }

// Decode is called by kong for a flag that is given.
func (a *amountCondition) Decode(ctx *kong.DecodeContext) error {
	var text condition
	err := text.Decode(ctx)
	if err == nil {
		a.Major, err = topup.ParseMajor(string(text))
	}
	return err
}

// flagCondition reads the value of --flag.
func flagCondition(name condition) (topup.Flags, error) {
	if name == "" {
		return 0, nil
	}
	flag, err := topup.ParseFlag(string(name))
	if err != nil {
		return 0, wrongUsage("--%w", err)
	}
	return flag, nil
}

// refusedFilter makes wrong usage of what the store refuses in a filter: its
// fields are named as the flags are.
func refusedFilter(err error) error {
	if refusal := (*topup.Error)(nil); errors.As(err, &refusal) && refusal.Kind == topup.KindInvalid {
		return wrongUsage("--%w", err)
	}
	return err
}
