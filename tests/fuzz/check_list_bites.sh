#!/bin/sh
# check_list.sh accepts a right list and refuses a missing, a superfluous, a bare and a misplaced line.
set -u
here=$(cd "$(dirname "$0")" && pwd)
toy=$(mktemp -d)
trap 'rm -rf "$toy"' EXIT
touch "$toy/fuzz_a.c" "$toy/fuzz_b.c"

try() { # try WANTED_STATUS TEXT
    printf "$2" >"$toy/LIST"
    sh "$here/check_list.sh" "$toy" >/dev/null 2>&1
    got=$?
    if [ $got != "$1" ]; then
        echo "wanted $1, got $got for:" >&2
        cat "$toy/LIST" >&2
        exit 1
    fi
}
try 0 'a\tone\nb\ttwo\n'
try 1 'a\tone\n'
try 1 'a\tone\nb\ttwo\nc\tthree\n'
try 1 'a\tone\nb\n'
try 1 'b\ttwo\na\tone\n'
try 1 'a\tone\na\tone\nb\ttwo\n'
