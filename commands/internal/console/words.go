package console

import (
	"fmt"
)

// Counted is a number of things: 1 account, 2 accounts.
func Counted(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// AreOf is a part of a number of things with its verb: 1 of 5 ids is.
func AreOf(part, whole int64, thing string) string {
	verb := "are"
	if part == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%d of %s %s", part, Counted(whole, thing), verb)
}
