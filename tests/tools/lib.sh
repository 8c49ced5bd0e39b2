# lib.sh: sourced by the scripts of this folder. $millrace is the program under test.
millrace=$1
failures=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# gives CODE STDOUT ARGUMENT...: the program ends with that code and prints exactly that, and nothing to standard error.
gives() {
    code=$1
    wanted=$2
    shift 2
    got=$("$millrace" "$@" 2>"$work/stderr" </dev/null)
    had=$?
    if [ "$had" != "$code" ] || [ "$got" != "$wanted" ] || [ -s "$work/stderr" ]; then
        printf 'millrace %s\n  wanted %s: %s\n  had    %s: %s\n  stderr: %s\n' "$*" "$code" "$wanted" "$had" "$got" "$(cat "$work/stderr")"
        failures=$((failures + 1))
    fi
}

# refuses SENTENCE ARGUMENT...: exit code 1, nothing on standard output, and one sentence on standard error that has these words.
refuses() {
    words=$1
    shift
    got=$("$millrace" "$@" 2>"$work/stderr" </dev/null)
    had=$?
    if [ "$had" != 1 ] || [ -n "$got" ] || [ "$(wc -l <"$work/stderr")" != 1 ] || ! grep -qF -- "$words" "$work/stderr"; then
        printf 'millrace %s\n  wanted a refusal with: %s\n  had %s: %s\n  stderr: %s\n' "$*" "$words" "$had" "$got" "$(cat "$work/stderr")"
        failures=$((failures + 1))
    fi
}

# same WHAT WANTED HAD
same() {
    [ "$2" = "$3" ] && return
    printf '%s\n  wanted: %s\n  had:    %s\n' "$1" "$2" "$3"
    failures=$((failures + 1))
}
