#!/usr/bin/env bash
# Versions:  github.com/Rhymond/go-money 1.0.15
# Behaviour: NewFromFloat(1.15, "KZT") is 114 tiyn, 19.99 is 1998, 8.2 is 819: it multiplies the float
#            and cuts it off. Display puts the sign of the tenge before the amount, with commas, as
#            for dollars.
# Guess:     115, 1999, 820 (a number with two decimals needs no rounding); and "1,234.50 ₸", with the
#            sign after the amount as the library writes the som.
#
# Output seen:
#   1.15 114
#   8.2 819
#   19.99 1998
#   ₸1,234.50 | 1,234.50 сом
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.24

require (
	github.com/Rhymond/go-money v1.0.15
)
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"

	money "github.com/Rhymond/go-money"
)

func main() {
	for _, amount := range []float64{1.15, 8.2, 19.99} {
		fmt.Println(amount, money.NewFromFloat(amount, "KZT").Amount())
	}
	fmt.Println(money.New(123450, "KZT").Display(), "|", money.New(123450, "KGS").Display())
}
GO
seen=$(GOFLAGS=-mod=mod GOWORK=off go run . 2>errors) || { cat errors >&2; exit 1; }

want=$(cat <<'WANT'
1.15 114
8.2 819
19.99 1998
₸1,234.50 | 1,234.50 сом
WANT
)

cat <<'TEXT'
Versions:  github.com/Rhymond/go-money 1.0.15
Behaviour: NewFromFloat(1.15, "KZT") is 114 tiyn, 19.99 is 1998, 8.2 is 819: it multiplies the float
           and cuts it off. Display puts the sign of the tenge before the amount, with commas, as
           for dollars.
Guess:     115, 1999, 820 (a number with two decimals needs no rounding); and "1,234.50 ₸", with the
           sign after the amount as the library writes the som.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
