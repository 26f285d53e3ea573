#!/usr/bin/env bash
# Versions:  npm awesome-phonenumber 7.8.0, google-libphonenumber 3.2.47
# Behaviour: both contain the same metadata, but awesome-phonenumber answers the region it was given
#            for any number written without its country code: RU for a Kazakh mobile, KZ for a Russian
#            toll-free number and for a Kyrgyz number dialled 8~10 996. The valid flag is true all the
#            same.
# Guess:     the region is the number's own in both libraries, as it is for the form with +.
#
# Output seen:
#   87071234567 given RU: awesome-phonenumber RU +77071234567 valid=true, google-libphonenumber KZ
#   +77071234567 given RU: awesome-phonenumber KZ +77071234567 valid=true, google-libphonenumber KZ
#   88000801234 given KZ: awesome-phonenumber KZ +78000801234 valid=true, google-libphonenumber RU
#   8~10 996 555 123456 given KZ: awesome-phonenumber KZ +996555123456 valid=true, google-libphonenumber KG
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --save-exact awesome-phonenumber@7.8.0 google-libphonenumber@3.2.47 >/dev/null
cat >main.js <<'JS'
const { parsePhoneNumber } = require('awesome-phonenumber');
const { PhoneNumberUtil } = require('google-libphonenumber');
const util = PhoneNumberUtil.getInstance();
for (const [written, region] of [['87071234567', 'RU'], ['+77071234567', 'RU'], ['88000801234', 'KZ'], ['8~10 996 555 123456', 'KZ']]) {
  const awesome = parsePhoneNumber(written, { regionCode: region });
  const google = util.getRegionCodeForNumber(util.parse(written, region));
  console.log(`${written} given ${region}: awesome-phonenumber ${awesome.regionCode} ${awesome.number.e164} valid=${awesome.valid}, google-libphonenumber ${google}`);
}
JS
seen=$(node main.js)

want=$(cat <<'WANT'
87071234567 given RU: awesome-phonenumber RU +77071234567 valid=true, google-libphonenumber KZ
+77071234567 given RU: awesome-phonenumber KZ +77071234567 valid=true, google-libphonenumber KZ
88000801234 given KZ: awesome-phonenumber KZ +78000801234 valid=true, google-libphonenumber RU
8~10 996 555 123456 given KZ: awesome-phonenumber KZ +996555123456 valid=true, google-libphonenumber KG
WANT
)

cat <<'TEXT'
Versions:  npm awesome-phonenumber 7.8.0, google-libphonenumber 3.2.47
Behaviour: both contain the same metadata, but awesome-phonenumber answers the region it was given
           for any number written without its country code: RU for a Kazakh mobile, KZ for a Russian
           toll-free number and for a Kyrgyz number dialled 8~10 996. The valid flag is true all the
           same.
Guess:     the region is the number's own in both libraries, as it is for the form with +.
TEXT
printf '\nSeen now:\n%s\n' "$seen"
if [ "$seen" != "$want" ]; then
	printf '\nCHANGED. Seen when this was written:\n%s\n' "$want"
	exit 1
fi
printf '\nUnchanged.\n'
