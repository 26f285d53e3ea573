<?php
// The judge of natural order: JetPay Gate's canonical string, built with PHP's
// own json_decode and ksort(SORT_NATURAL). Reads one JSON body a line, writes
// for each the Base64 of its canonical string, "collision" where two members
// join to one path (a PHP array can hold only one of them), or "invalid".

ini_set('precision', '-1'); // floats in their shortest form

function flatten(array $value, ?string $prefix, array &$lines, bool &$collision): void
{
    foreach ($value as $key => $member) {
        if (!array_is_list($value) && in_array((string) $key, ['signature', 'frame_mode'], true)) {
            continue;
        }
        $path = ($prefix === null ? '' : $prefix . ':') . str_replace(':', '::', (string) $key);
        if (is_array($member)) {
            flatten($member, $path, $lines, $collision);
            continue;
        }
        if (array_key_exists($path, $lines)) {
            $collision = true;
        }
        $text = is_bool($member) ? ($member ? '1' : '0') : (string) $member;
        $lines[$path] = $path . ':' . $text;
    }
}

while (($body = fgets(STDIN)) !== false) {
    $value = json_decode(rtrim($body, "\n"), true, 64, JSON_BIGINT_AS_STRING);
    if (!is_array($value)) {
        echo "invalid\n";
        continue;
    }
    $lines = [];
    $collision = false;
    flatten($value, null, $lines, $collision);
    ksort($lines, SORT_NATURAL);
    echo $collision ? 'collision' : base64_encode(implode(';', $lines)), "\n";
}
