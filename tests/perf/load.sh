#!/bin/bash
# load.sh small|stopped|drop|twice BUILD: millrace-load against a relay of that build; checks that its figures are true.
#   small    all of it arrives, once, in every version of eth
#   stopped  the relay stands still for 2 s in mid-load: the open loop must show them, and nothing is lost
#   drop     a relay that leaves out one delivery in 1,000
#   twice    a relay that makes one delivery in 1,000 twice
set -euo pipefail
part=$1 build=$2
folder=$(mktemp -d)
relay_pid=
finish() {
    if [ -n "$relay_pid" ] && kill -KILL "$relay_pid" 2>/dev/null; then wait "$relay_pid" 2>/dev/null || true; fi
    rm -rf "$folder"
}
trap finish EXIT

fail() {
    echo "$part: $*" >&2
    cat "$folder"/*.txt "$folder/relay.log" >&2 || true
    exit 1
}

start_relay() { # start_relay PROGRAM
    : >"$folder/relay.log"
    "$1" run --datadir "$folder/data" --addr 127.0.0.1 --port 0 --network mainnet >"$folder/relay.log" 2>&1 </dev/null &
    relay_pid=$!
    for _ in $(seq 100); do
        enode=$(grep -om1 'enode://[0-9a-f]*@[^ "]*' "$folder/relay.log" || true)
        if [ -n "$enode" ]; then return; fi
        sleep 0.1
    done
    fail "the relay did not start"
}

load() { # load OPTION...: its exit code is in $status
    status=0
    "$build/millrace-load" --target "$enode" --relay-pid "$relay_pid" --synthetic --json "$folder/load.json" "$@" \
        >"$folder/load.txt" 2>&1 || status=$?
}

figure() { sed -n "s/^ *\"$1\": \([0-9]*\).*/\1/p" "$folder/load.json" | head -1; }
body_max() { sed -n '/"body_us"/,/}/s/^ *"max": \([0-9]*\).*/\1/p' "$folder/load.json"; }

case $part in
small)
    start_relay "$build/millrace"
    for version in 68 69 70 71; do
        load --peers 50 --rate 50 --duration 2 --eth-version $version --seed $version
        [ "$status" = 0 ] || fail "eth/$version: exit code $status"
        [ "$(figure delivered)" = 4900 ] || fail "eth/$version: delivered $(figure delivered) of 4900"
    done
    ;;
stopped)
    start_relay "$build/millrace"
    (
        sleep 4
        kill -STOP "$relay_pid"
        sleep 2
        kill -CONT "$relay_pid"
    ) &
    load --peers 50 --rate 50 --duration 7
    wait $!
    [ "$status" = 0 ] || fail "exit code $status"
    [ "$(figure lost)" = 0 ] || fail "lost $(figure lost)"
    [ "$(body_max)" -ge 1900000 ] || fail "the largest latency is $(body_max) us"
    ;;
drop | twice)
    start_relay "$build/tests/perf/millrace_load_$part"
    load --peers 50 --rate 50 --duration 2 --drain 3
    [ "$status" = 1 ] || fail "exit code $status"
    if [ "$part" = drop ]; then lost=4 twice=0; else lost=0 twice=4; fi # of 100 times 49
    [ "$(figure lost)" = $lost ] || fail "lost $(figure lost)"
    [ "$(figure duplicates_sent_by_relay)" = $twice ] || fail "duplicates $(figure duplicates_sent_by_relay)"
    ;;
esac
echo "$part: ok"
