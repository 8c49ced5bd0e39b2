#!/bin/sh
# forkid.sh MILLRACE VECTORS: `millrace forkid` from the outside. Ids of tests/vectors/networks.
. "$(dirname "$0")/lib.sh"
vectors=$2

gives 0 0xfc64ec04/1150000 forkid --head 0 --time 0
gives 0 0x07c9462e/0 forkid --head 30000000 --time 1767747671
gives 0 0x07c9462e/0 forkid --network mainnet --time 1767747671
gives 0 0x268956b6/0 forkid --network sepolia --time 1767747671
gives 0 0x07c9462e/0 forkid --network-file "$vectors/networks/mainnet.json" --time 1767747671
gives 0 '{"hash":"0x07c9462e","next":0,"compatible":null,"reason":null}' forkid --time 1767747671 --json

gives 0 '0x07c9462e/0
compatible: yes' forkid --time 1767747671 --check 0x07c9462e/0
gives 0 '{"hash":"0x07c9462e","next":0,"compatible":true,"reason":null}' forkid --time 1767747671 --check 07c9462e/0 --json
gives 1 '0x07c9462e/0
compatible: no
reason: remote needs update' forkid --time 1767747671 --check 0xc376cf8b/0
gives 1 '{"hash":"0x07c9462e","next":0,"compatible":false,"reason":"chains incompatible or local needs update"}' \
    forkid --time 1767747671 --check 0xdeadbeef/0 --json
for bad in 07c9462e 0x07c9462e/ 0x07c9462e/-1 0x07c946/0 0x07c9462e00/0 zz/0 0x07c9462e/18446744073709551616 /0 "0x07c9462e/0 "; do
    gives 1 '{"error":"not of the form HASH/NEXT: four bytes in hexadecimal, a slash, a whole number of at most 64 bits","offset":0}' \
        forkid --time 1767747671 --check "$bad" --json
done
printf '0x07c9462e/0\nnonsense\n0xdeadbeef/1\n' | "$millrace" forkid --time 1767747671 --check - --json >"$work/out"
same 'one refused line refuses' 1 $?
same 'as many answers as lines' 3 "$(wc -l <"$work/out")"

refuses 'unexpected argument "x"' forkid x
refuses 'unknown flag "--haed"' forkid --haed 3
refuses '--head takes a whole number' forkid --head latest
refuses '--network "ropsten" is not known' forkid --network ropsten
echo '{"name":"x"}' >"$work/short.json"
refuses "$work/short.json" forkid --network-file "$work/short.json"

exit $((failures > 0))
