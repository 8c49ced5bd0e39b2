#!/bin/sh
# secrets.sh ROOT: nothing secret gets to RLPx's writers: see secrets.awk. crypto/ includes nothing of net/ (check.sh), so
# that it can send nothing.
set -u
export LC_ALL=C
cd "$1" || exit 2
found=$(find net shards node -name '*.[ch]' | sort | xargs awk -v list=tests/tidy/secrets.tsv -f tests/tidy/secrets.awk)
[ -z "$found" ] || printf '%s\n' "$found"
[ -z "$found" ]
