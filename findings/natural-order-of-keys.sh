#!/usr/bin/env bash
# Versions:  PHP 8.2 (php-cli), npm natural-compare 1.4.0, natsort 2.0.3, github.com/facette/natsort
#            of 2018-12-10
# Behaviour: four natural orders of the same pairs of keys. npm natsort reads 1.5 and 1.10 as decimals
#            and puts 1.10 first; it and natural-compare see no difference between two names with 20
#            digits; PHP takes "a b" and "ab", and 007 and 7, for equal; facette says "less" both ways
#            round for equal keys.
# Guess:     all agree for digits within names (they do for a2 and a10); PHP takes digits after a
#            point as a fraction; no comparison says "less" for equal keys.
# Matters:   a signature over keys in "natural order" depends on whose natural order.
#
# Output seen:
#   a2 | a10: PHP -1 natural-compare -1 natsort -1 facette less true/false
#   1.5 | 1.10: PHP -1 natural-compare -1 natsort 1 facette less true/false
#   0.5 | 0.10: PHP -1 natural-compare -1 natsort 1 facette less true/false
#   a12345678901234567890 | a12345678901234567891: PHP -1 natural-compare 0 natsort 0 facette less true/false
#   a b | ab: PHP 0 natural-compare -1 natsort -1 facette less true/false
#   007 | 7: PHP 0 natural-compare -1 natsort 0 facette less true/true
#   a1 | a1: PHP 0 natural-compare 0 natsort 0 facette less true/true
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact natural-compare@1.4.0 natsort@2.0.3 >/dev/null
case $(php -r 'echo PHP_VERSION;') in 8.2.*) ;; *) echo "Note: this was seen with PHP 8.2; here is $(php -r 'echo PHP_VERSION;').";; esac
cat >go.mod <<'MOD'
module finding

go 1.24

require (
	github.com/facette/natsort v0.0.0-20181210072756-2cd4dd1e2dcb
)
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/facette/natsort"
)

func main() {
	fmt.Print(natsort.Compare(os.Args[1], os.Args[2]), "/", natsort.Compare(os.Args[2], os.Args[1]))
}
GO
GOFLAGS=-mod=mod GOWORK=off go build -o facette . 2>errors || { cat errors >&2; exit 1; }
cat >main.js <<'JS'
const [a, b] = process.argv.slice(2);
const natsort = require('natsort');
console.log('natural-compare', Math.sign(require('natural-compare')(a, b)), 'natsort', Math.sign((natsort.default || natsort)()(a, b)));
JS
compare() {
	echo "$1 | $2: PHP $(php -r 'echo strnatcmp($argv[1], $argv[2]);' -- "$1" "$2") $(node main.js "$1" "$2") facette less $(./facette "$1" "$2")"
}
seen=$(
	compare a2 a10
	compare 1.5 1.10
	compare 0.5 0.10
	compare a12345678901234567890 a12345678901234567891
	compare 'a b' ab
	compare 007 7
	compare a1 a1
)

want=$(cat <<'WANT'
a2 | a10: PHP -1 natural-compare -1 natsort -1 facette less true/false
1.5 | 1.10: PHP -1 natural-compare -1 natsort 1 facette less true/false
0.5 | 0.10: PHP -1 natural-compare -1 natsort 1 facette less true/false
a12345678901234567890 | a12345678901234567891: PHP -1 natural-compare 0 natsort 0 facette less true/false
a b | ab: PHP 0 natural-compare -1 natsort -1 facette less true/false
007 | 7: PHP 0 natural-compare -1 natsort 0 facette less true/true
a1 | a1: PHP 0 natural-compare 0 natsort 0 facette less true/true
WANT
)

cat <<'TEXT'
Versions:  PHP 8.2 (php-cli), npm natural-compare 1.4.0, natsort 2.0.3, github.com/facette/natsort
           of 2018-12-10
Behaviour: four natural orders of the same pairs of keys. npm natsort reads 1.5 and 1.10 as decimals
           and puts 1.10 first; it and natural-compare see no difference between two names with 20
           digits; PHP takes "a b" and "ab", and 007 and 7, for equal; facette says "less" both ways
           round for equal keys.
Guess:     all agree for digits within names (they do for a2 and a10); PHP takes digits after a
           point as a fraction; no comparison says "less" for equal keys.
Matters:   a signature over keys in "natural order" depends on whose natural order.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
