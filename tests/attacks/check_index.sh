#!/bin/sh
# check_index.sh INDEX BUILD: fails if a row that must be there has no line, or a line names no test of the build.
set -eu
index=$1 build=$2 bad=0
rows="H-01 H-02 H-03 H-04 H-05 H-06 H-07 H-08 H-09 H-10 H-11 H-12 H-13 H-14 H-16 H-17 H-18
F-01 F-02 F-03 F-04 F-05 F-06 F-07 F-08 F-09 F-10 F-11 F-12 F-13 F-14 F-15 F-16
E-01 E-02 E-03 E-04 E-05 E-06 E-07 E-08 E-09 E-10 E-11 E-12 E-13 E-14 E-16 E-18 E-20 E-21 E-22"
names=$(ctest --test-dir "$build" -N | sed -n 's/^ *Test *#[0-9]*: //p')
for row in $rows; do
    if ! grep -q "^$row	" "$index"; then
        echo "$index has no line for $row"
        bad=1
    fi
done
tab=$(printf '\t')
while IFS=$tab read -r row test claim; do
    case $row in '' | '#'*) continue ;; esac
    if ! printf '%s\n' "$names" | grep -qx "$test"; then
        echo "$row: there is no test $test"
        bad=1
    fi
    if [ -z "$claim" ]; then
        echo "$row: what does $test assert?"
        bad=1
    fi
done <"$index"
exit $bad
