#!/usr/bin/env bash
# Versions:  github.com/Rhymond/go-money 1.0.15, github.com/govalues/money 0.2.4,
#            github.com/bojanz/currency 1.4.2, npm currency-codes 2.2.0
# Behaviour: four currency libraries, four lists. go-money lacks ZWG and VED and knows ended codes and
#            one that never was in ISO 4217 (GGP); govalues lacks XCG, SLE, ZWG and VED and knows HRK
#            and SLL; currency-codes lacks XCG and keeps ANG and CUC. Of these codes bojanz alone
#            knows those of today and no other.
# Guess:     each is the ISO 4217 list of its release: current codes known, ended ones not.
#
# Output seen:
#   go-money: KZT XCG SLE --- --- ANG CUC BGN HRK SLL RUR GGP
#   bojanz: KZT XCG SLE ZWG VED --- --- --- --- --- --- ---
#   govalues: KZT --- --- --- --- ANG --- BGN HRK SLL --- ---
#   currency-codes: KZT --- SLE ZWG VED ANG CUC BGN --- --- --- ---
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact currency-codes@2.2.0 >/dev/null
cat >go.mod <<'MOD'
module finding

go 1.24

require (
	github.com/Rhymond/go-money v1.0.15
	github.com/bojanz/currency v1.4.2
	github.com/govalues/money v0.2.4
)
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"

	gomoney "github.com/Rhymond/go-money"
	"github.com/bojanz/currency"
	govalues "github.com/govalues/money"
)

func main() {
	known := map[string]func(string) bool{
		"go-money": func(code string) bool { return gomoney.GetCurrency(code) != nil },
		"bojanz":   currency.IsValid,
		"govalues": func(code string) bool { _, err := govalues.ParseCurr(code); return err == nil },
	}
	for _, library := range []string{"go-money", "bojanz", "govalues"} {
		fmt.Print(library, ":")
		for _, code := range strings.Fields(os.Args[1]) {
			if known[library](code) {
				fmt.Print(" ", code)
			} else {
				fmt.Print(" ---")
			}
		}
		fmt.Println()
	}
}
GO
codes='KZT XCG SLE ZWG VED ANG CUC BGN HRK SLL RUR GGP'
seen=$(GOFLAGS=-mod=mod GOWORK=off go run . "$codes" 2>errors) || { cat errors >&2; exit 1; }
seen+=$'\ncurrency-codes: '$(node -e '
const { code } = require("currency-codes");
console.log(process.argv[1].split(" ").map((c) => (code(c) ? c : "---")).join(" "));' "$codes")

want=$(cat <<'WANT'
go-money: KZT XCG SLE --- --- ANG CUC BGN HRK SLL RUR GGP
bojanz: KZT XCG SLE ZWG VED --- --- --- --- --- --- ---
govalues: KZT --- --- --- --- ANG --- BGN HRK SLL --- ---
currency-codes: KZT --- SLE ZWG VED ANG CUC BGN --- --- --- ---
WANT
)

cat <<'TEXT'
Versions:  github.com/Rhymond/go-money 1.0.15, github.com/govalues/money 0.2.4,
           github.com/bojanz/currency 1.4.2, npm currency-codes 2.2.0
Behaviour: four currency libraries, four lists. go-money lacks ZWG and VED and knows ended codes and
           one that never was in ISO 4217 (GGP); govalues lacks XCG, SLE, ZWG and VED and knows HRK
           and SLL; currency-codes lacks XCG and keeps ANG and CUC. Of these codes bojanz alone
           knows those of today and no other.
Guess:     each is the ISO 4217 list of its release: current codes known, ended ones not.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
