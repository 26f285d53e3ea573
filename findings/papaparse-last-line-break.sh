#!/usr/bin/env bash
# Versions:  npm papaparse 5.7.1
# Behaviour: the same register of two columns with decimal commas is split at the semicolons when its
#            last line has no line break, and at the decimal commas when it has one.
# Guess:     the detected delimiter is the semicolon in both; a line break at the end of a file
#            changes nothing.
#
# Output seen:
#   without last line break: ; ["000123","1,50"]
#   with last line break: , ["000123;1","50"]
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact papaparse@5.7.1 >/dev/null
cat >main.js <<'JS'
const Papa = require('papaparse');
const file = 'account;sum\n000123;1,50\n000124;2,50';
for (const [name, text] of [['without', file], ['with', file + '\n']]) {
  const { meta, data } = Papa.parse(text);
  console.log(`${name} last line break: ${meta.delimiter} ${JSON.stringify(data[1])}`);
}
JS
seen=$(node main.js)

want=$(cat <<'WANT'
without last line break: ; ["000123","1,50"]
with last line break: , ["000123;1","50"]
WANT
)

cat <<'TEXT'
Versions:  npm papaparse 5.7.1
Behaviour: the same register of two columns with decimal commas is split at the semicolons when its
           last line has no line break, and at the decimal commas when it has one.
Guess:     the detected delimiter is the semicolon in both; a line break at the end of a file
           changes nothing.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
