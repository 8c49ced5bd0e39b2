# bites.sh, for the *_bites.sh beside it to source: a toy of their own, and what they claim of a check that looks at it.
# They define check (looks at $toy, prints its violations) and fresh (a toy that has none), and end with [ $failures = 0 ].
here=$(cd "$(dirname "$0")" && pwd)
toy=$(mktemp -d)
trap 'rm -rf "$toy"' EXIT
failures=0

clean() { # clean WHY: the check accepts the toy
    if ! output=$(check 2>&1); then
        echo "refused, though $1:" "$output"
        failures=$((failures + 1))
    fi
}

caught() { # caught PLACE WHAT [TEXT]: the check refuses the toy, for something at this place that is named so
    if output=$(check 2>&1); then
        echo "not caught: $2"
        failures=$((failures + 1))
    elif ! printf '%s\n' "$output" | grep -q "^$1: .*${3:-}"; then
        echo "$2: wanted $1, got:" "$output"
        failures=$((failures + 1))
    fi
    fresh
}
