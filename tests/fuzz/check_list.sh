#!/bin/sh
# check_list.sh DIR: DIR/LIST names exactly the fuzz_*.c of DIR, sorted, each with a tab and a sentence.
set -u
cd "$1" || exit 2
status=0
complain() {
    echo "tests/fuzz/LIST: $*" >&2
    status=1
}

for file in fuzz_*.c; do
    [ -e "$file" ] || continue
    name=${file#fuzz_}
    name=${name%.c}
    grep -q "^$name	" LIST || complain "$file is not named"
done
while IFS= read -r line; do
    name=${line%%	*}
    case $line in
    *"	"?*) ;;
    *) complain "'$line' is no name, tab and sentence" ;;
    esac
    [ -f "fuzz_$name.c" ] || complain "there is no fuzz_$name.c"
done <LIST
LC_ALL=C sort -c -u LIST || complain "not sorted"
exit $status
