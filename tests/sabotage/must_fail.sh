#!/bin/sh
# must_fail.sh PROGRAM: succeeds when PROGRAM fails, aborts, or does not come to an end in 90 seconds.
if timeout -k 5 90 "$@" >/dev/null 2>&1; then
    echo "passes although its guard is switched off: $1"
    exit 1
fi
