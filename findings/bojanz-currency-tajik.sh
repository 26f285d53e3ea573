#!/usr/bin/env bash
# Versions:  github.com/bojanz/currency 1.4.2
# Behaviour: there is no Tajik locale in its data: an amount in somoni for the locale tg is written as
#            in English, with commas and the code first, and no error or flag says so. Kazakh, Kyrgyz
#            and Uzbek are there.
# Guess:     its CLDR data has tg, which CLDR has: "1 234,50 сом."
#
# Output seen:
#   kk 1 234,50 ₸
#   ky 1 234,50 сом
#   uz 1 234,50 soʻm
#   tg TJS 1,234.50
#   en TJS 1,234.50
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.24

require (
	github.com/bojanz/currency v1.4.2
)
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"strings"

	"github.com/bojanz/currency"
)

func main() {
	for _, c := range [][2]string{{"kk", "KZT"}, {"ky", "KGS"}, {"uz", "UZS"}, {"tg", "TJS"}, {"en", "TJS"}} {
		amount, err := currency.NewAmount("1234.5", c[1])
		if err != nil {
			panic(err)
		}
		text := currency.NewFormatter(currency.NewLocale(c[0])).Format(amount)
		fmt.Println(c[0], strings.ReplaceAll(text, "\u00a0", " "))
	}
}
GO
seen=$(GOFLAGS=-mod=mod GOWORK=off go run . 2>errors) || { cat errors >&2; exit 1; }

want=$(cat <<'WANT'
kk 1 234,50 ₸
ky 1 234,50 сом
uz 1 234,50 soʻm
tg TJS 1,234.50
en TJS 1,234.50
WANT
)

cat <<'TEXT'
Versions:  github.com/bojanz/currency 1.4.2
Behaviour: there is no Tajik locale in its data: an amount in somoni for the locale tg is written as
           in English, with commas and the code first, and no error or flag says so. Kazakh, Kyrgyz
           and Uzbek are there.
Guess:     its CLDR data has tg, which CLDR has: "1 234,50 сом."
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
