#!/usr/bin/env bash
# Versions:  PHP 8.2 (php-cli), node 20
# Behaviour: PHP decodes -0 to the integer 0 but -0.0 and -0e5 to a float that is written "-0";
#            JavaScript writes "0" for all three.
# Guess:     both languages write minus zero alike; PHP makes -0 a float as it does -0.0.
# Matters:   a platform that signs the text of decoded JSON values has SDKs in both languages: one
#            valid body, two canonical strings.
#
# Output seen:
#   -0: PHP integer 0, JavaScript 0
#   -0.0: PHP double -0, JavaScript 0
#   -0e5: PHP double -0, JavaScript 0
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
case $(php -r 'echo PHP_VERSION;') in 8.2.*) ;; *) echo "Note: this was seen with PHP 8.2; here is $(php -r 'echo PHP_VERSION;').";; esac
case $(node --version) in v20.*) ;; *) echo "Note: this was seen with node 20; here is $(node --version).";; esac
seen=$(for number in -0 -0.0 -0e5; do
	echo "$number: PHP $(php -d precision=-1 -r '$v = json_decode($argv[1]); echo gettype($v), " ", $v;' -- "$number"), JavaScript $(node -e 'console.log(String(JSON.parse(process.argv[1])))' -- "$number")"
done)

want=$(cat <<'WANT'
-0: PHP integer 0, JavaScript 0
-0.0: PHP double -0, JavaScript 0
-0e5: PHP double -0, JavaScript 0
WANT
)

cat <<'TEXT'
Versions:  PHP 8.2 (php-cli), node 20
Behaviour: PHP decodes -0 to the integer 0 but -0.0 and -0e5 to a float that is written "-0";
           JavaScript writes "0" for all three.
Guess:     both languages write minus zero alike; PHP makes -0 a float as it does -0.0.
Matters:   a platform that signs the text of decoded JSON values has SDKs in both languages: one
           valid body, two canonical strings.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
