#!/usr/bin/env bash
# Versions:  npm transliteration 2.6.1, @sindresorhus/transliterate 2.3.1, github.com/mozillazg/go-
#            unidecode 0.2.0, github.com/gosimple/slug 1.15.0
# Behaviour: the Kazakh letter at the head of the name Aliya becomes the sign @ in transliteration and
#            go-unidecode, is left Cyrillic by @sindresorhus/transliterate, and is dropped by slug
#            unless the language kk is named.
# Guess:     all give Latin letters: Aliya or Alia, and Qazaqstan or Kazakstan.
# Matters:   names on payment orders go through such libraries where only Latin letters may stand; @
#            is outside the SWIFT character set too.
#
# Output seen:
#   Әлия | go-unidecode @liia | slug liia | slug kk aliia
#   Қазақстан | go-unidecode K'azak'stan | slug k-azak-stan | slug kk qazaqstan
#   Әлия | transliteration @liya | @sindresorhus/transliterate Әliya
#   Қазақстан | transliteration K'azak'stan | @sindresorhus/transliterate Қazaқstan
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact transliteration@2.6.1 @sindresorhus/transliterate@2.3.1 >/dev/null
cat >go.mod <<'MOD'
module finding

go 1.24

require (
	github.com/gosimple/slug v1.15.0
	github.com/mozillazg/go-unidecode v0.2.0
)
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/gosimple/slug"
	"github.com/mozillazg/go-unidecode"
)

func main() {
	for _, name := range os.Args[1:] {
		fmt.Println(name, "| go-unidecode", unidecode.Unidecode(name), "| slug", slug.Make(name), "| slug kk", slug.MakeLang(name, "kk"))
	}
}
GO
cat >main.mjs <<'JS'
import transliterate from '@sindresorhus/transliterate';
import { transliterate as transliteration } from 'transliteration';
for (const name of process.argv.slice(2))
  console.log(`${name} | transliteration ${transliteration(name)} | @sindresorhus/transliterate ${transliterate(name)}`);
JS
names=(Әлия Қазақстан)
seen=$(GOFLAGS=-mod=mod GOWORK=off go run . "${names[@]}" 2>errors && node main.mjs "${names[@]}") || { cat errors >&2; exit 1; }

want=$(cat <<'WANT'
Әлия | go-unidecode @liia | slug liia | slug kk aliia
Қазақстан | go-unidecode K'azak'stan | slug k-azak-stan | slug kk qazaqstan
Әлия | transliteration @liya | @sindresorhus/transliterate Әliya
Қазақстан | transliteration K'azak'stan | @sindresorhus/transliterate Қazaқstan
WANT
)

cat <<'TEXT'
Versions:  npm transliteration 2.6.1, @sindresorhus/transliterate 2.3.1, github.com/mozillazg/go-
           unidecode 0.2.0, github.com/gosimple/slug 1.15.0
Behaviour: the Kazakh letter at the head of the name Aliya becomes the sign @ in transliteration and
           go-unidecode, is left Cyrillic by @sindresorhus/transliterate, and is dropped by slug
           unless the language kk is named.
Guess:     all give Latin letters: Aliya or Alia, and Qazaqstan or Kazakstan.
Matters:   names on payment orders go through such libraries where only Latin letters may stand; @
           is outside the SWIFT character set too.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
