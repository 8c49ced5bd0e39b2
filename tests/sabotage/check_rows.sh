#!/bin/sh
# check_rows.sh ROOT: every row that must be provable has a guard in a .c file and a line in rows.tsv, and the reverse.
set -u
cd "$1" || exit 2
rows=tests/sabotage/rows.tsv
status=0
complain() {
    echo "$*"
    status=1
}
folders=
for folder in core crypto net shards node; do
    if [ -d $folder ]; then folders="$folders $folder"; fi
done
for row in H-01 H-02 H-04 H-05 H-10 H-13 F-01 F-03 F-06 F-10 F-12 F-14 E-07 E-09 E-10; do
    macro=MR_SABOTAGE_$(echo $row | tr - _)
    # shellcheck disable=SC2086
    grep -rqw --include='*.c' "$macro" $folders || complain "no source has a guard $macro"
    grep -q "^$row	" $rows || complain "$rows has no line for $row"
done
# shellcheck disable=SC2086
for macro in $(grep -rhow --include='*.[ch]' 'MR_SABOTAGE_[A-Z]_[0-9]*' $folders | sort -u); do
    row=$(echo "${macro#MR_SABOTAGE_}" | tr _ -)
    grep -q "^$row	" $rows || complain "$macro has no line in $rows"
done
# shellcheck disable=SC2086
grep -rnw --include='*.h' 'MR_SABOTAGE_[A-Z]_[0-9]*' $folders && complain "guards in headers cannot be switched off by one file"
grep -v '^#' $rows | while IFS='	' read -r row program what; do
    if [ -z "$what" ]; then echo "$rows: $row names no program, or does not say what its guard does"; fi
done | grep . && status=1
exit $status
