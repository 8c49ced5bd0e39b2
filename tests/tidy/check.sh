#!/bin/sh
# check.sh [ROOT]: the rules that a compiler does not know. Prints "file:line: what" and exits 1 on any violation.
#   includes: core < crypto < net < shards < node; parts of net apart; one includer for each outside library
#   lengths: lines of 100 characters, functions of 70 lines (long_functions.tsv: known ones, which may only shrink)
#   tests: every .c of core, crypto, net and shards has a test that names it (untested.tsv: where else it is tested)
# check.sh --update ROOT writes long_functions.tsv anew.
set -u
export LC_ALL=C
update=
if [ "${1:-}" = --update ]; then
    update=1
    shift
fi
cd "${1:-$(dirname "$0")/../..}" || exit 2
tidy=tests/tidy
found=$(mktemp)
trap 'rm -f "$found"' EXIT

sources() { # sources FOLDER...: their .c and .h files
    for folder in "$@"; do
        if [ -d "$folder" ]; then find "$folder" -name node_modules -prune -o -name '*.[ch]' -print; fi
    done | sort
}

has_test() { # has_test FILE.c: a test or fuzz target includes its header, or bears its name
    header=${1%.c}.h
    module=$(basename "$1" .c)
    if [ -f "$header" ] && grep -rqsF --include='*.[ch]' "#include \"$header\"" tests; then return 0; fi
    for folder in "tests/$(dirname "$1")" tests/fuzz; do
        for named in "$folder/test_$module.c" "$folder/test_${module}_"*.c "$folder/fuzz_$module.c"; do
            if [ -f "$named" ]; then return 0; fi
        done
    done
    grep -qs "^$1	" $tidy/untested.tsv
}

if [ $update ]; then
    {
        echo "# Functions over 70 lines, with their lines. These numbers may only fall (check.sh --update writes them)."
        sources core crypto net shards node perf tests | xargs awk -v update=1 -v known=/dev/null -f $tidy/lengths.awk
    } >"$found"
    cp "$found" $tidy/long_functions.tsv
    exit
fi

sources core crypto net shards node | xargs -r awk -v libraries=$tidy/libraries.tsv -f $tidy/includes.awk >>"$found"
sources core crypto net shards node perf tests |
    xargs -r awk -v known=$tidy/long_functions.tsv -f $tidy/lengths.awk >>"$found"
for file in $(sources core crypto net shards | grep '\.c$'); do
    has_test "$file" || echo "$file:0: no test includes its header or bears its name, and tests/tidy/untested.tsv does not say where it is tested" >>"$found"
done
if [ -f $tidy/untested.tsv ]; then
    grep -v '^#' $tidy/untested.tsv | while IFS='	' read -r file where; do
        [ -f "$file" ] || echo "$tidy/untested.tsv:0: there is no $file"
        [ -n "$where" ] || echo "$tidy/untested.tsv:0: says nothing about $file"
    done >>"$found"
fi
cat "$found"
[ ! -s "$found" ]
