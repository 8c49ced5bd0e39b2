#!/bin/sh
# corpus.sh MILLRACE CORPUS_HEX CORPUS: all real transactions through the program, under the rules of today.
. "$(dirname "$0")/lib.sh"
if [ ! -f "$3" ]; then
    echo "skipped: no $3"
    exit 77
fi
"$2" "$3" | "$millrace" decode tx --json - >"$work/out"
same 'some are refused' 1 $?
same 'answers' 29282 "$(wc -l <"$work/out")"
same 'accepted and whole' 29192 "$(grep -c '"verdict":"ok","relay":"yes","reason":null}' "$work/out")"
same 'without their blobs' 29 "$(grep -c '"verdict":"ok","relay":"no: blobs missing","reason":null}' "$work/out")"
same 'over the gas cap' 6 "$(grep -c '"verdict":"gas_cap"' "$work/out")"
same 'under the floor' 51 "$(grep -c '"verdict":"gas_floor"' "$work/out")"
same 'high s' 4 "$(grep -c '"verdict":"signature_high_s"' "$work/out")"
# The .tsv beside the corpus has other people's hashes and senders, without 0x.
tsv=${3%.bin}.tsv
if [ -f "$tsv" ]; then
    head -1 "$tsv" | tr '\t' '\n' | tr -d '# ' >"$work/columns"
    hash=$(grep -nx 'hash\|tx_hash' "$work/columns" | cut -d: -f1)
    sender=$(grep -nx 'sender\|from' "$work/columns" | cut -d: -f1)
    grep -v '^#' "$tsv" | cut -f"$hash,$sender" | sed 's/0x//g' >"$work/wanted"
    sed 's/.*"hash":"0x\([0-9a-f]*\)","sender":"0x\([0-9a-f]*\)".*/\1\t\2/' "$work/out" >"$work/had"
    cmp "$work/wanted" "$work/had" || failures=1
fi
exit $((failures > 0))
