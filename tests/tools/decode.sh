#!/bin/sh
# decode.sh MILLRACE: `millrace decode` from the outside.
. "$(dirname "$0")/lib.sh"

# The example of EIP-155.
tx=f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83
hash=0x33469b22e9f636356c4160a87eb19df52b7412e8eac32a4a55ffe88ea8350788
sender=0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f
rest="\"hash\":\"$hash\",\"sender\":\"$sender\",\"type\":0,\"size\":110,\"chain_id\":1"
# The same with s above half of the order.
high=f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008026a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a098341627668089e51348fccfb4c7ff31c55912f2d2e47ef09652acf665fad3be

# rlp
gives 0 '["0x01",["0x02",["0x03",[]]]]' decode rlp --json c601c402c203c0
gives 0 '["0x01",["0x02",["0x03",[]]]]' decode rlp 0xc601c402c203c0 --json
gives 0 '0: 0x01
1.0: 0x02
1.1.0: 0x03
1.1.1: []' decode rlp c601c402c203c0
gives 1 '{"error":"1 byte behind the item","offset":3}' decode rlp --json c20105ff
gives 1 'error: an item of 3 bytes, but the input ends after 1
offset: 0' decode rlp 8322
gives 1 '{"error":"an item is missing: the input ends","offset":0}' decode rlp --json ''
gives 1 '{"error":"an item is missing: the input ends","offset":0}' decode rlp --json 0x
gives 1 '{"error":"an odd number of hexadecimal digits","offset":1}' decode rlp --json c20
gives 1 '{"error":"character 4 is no hexadecimal digit","offset":0}' decode rlp --json 0xcg

# tx
gives 0 "{\"input\":\"$tx\",$rest,\"verdict\":\"ok\",\"relay\":\"yes\",\"reason\":null}" decode tx --json $tx
gives 0 "input: f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340b... (220 characters)
hash: $hash
sender: $sender
type: 0
size: 110
chain_id: 1
verdict: ok
relay: yes
reason: none" decode tx $tx
gives 1 "{\"input\":\"$tx\",$rest,\"verdict\":\"chain_id\",\"relay\":\"no: refused\",\"reason\":\"signed for another chain\"}" decode tx --network sepolia --json $tx
gives 1 "{\"input\":\"$tx\",$rest,\"verdict\":\"signature_v\",\"relay\":\"no: refused\",\"reason\":\"v or y parity is no value that a signature can have\"}" decode tx --fork homestead --json $tx
gives 0 "{\"input\":\"$tx\",$rest,\"verdict\":\"ok\",\"relay\":\"yes\",\"reason\":null}" decode tx --fork=spurious_dragon --json $tx
same 'high s is refused with its reason' '"verdict":"signature_high_s","relay":"no: refused","reason":"s is above half of the curve'"'"'s order (EIP-2)"}' \
    "$("$millrace" decode tx --json $high | sed 's/.*"chain_id":1,//')"
gives 1 '{"error":"transactions of type 5 are not known","offset":0}' decode tx --json 05c0
gives 1 '{"error":"nonce: a number with leading zeros","offset":3}' decode tx --json 0x02c20100
gives 1 '{"error":"character 1 is no hexadecimal digit","offset":0}' decode tx --json nonsense

# lines of standard input: one answer each, whatever the line
printf '%s\n0x%s\r\n\nxyz\n%s' $tx $tx $high | "$millrace" decode tx --json - >"$work/out" 2>&1
same 'one refused line refuses' 1 $?
same 'as many answers as lines' 5 "$(wc -l <"$work/out")"
same 'accepted among them' 2 "$(grep -c '"verdict":"ok"' "$work/out")"
same 'an empty line has no bytes' '{"error":"no bytes at all","offset":0}' "$(sed -n 3p "$work/out")"
printf '%s\n%s\n' $tx $tx | "$millrace" decode tx - >"$work/out"
same 'all accepted' 0 $?
same 'answers have an empty line between them' 1 "$(grep -c '^$' "$work/out")"
"$millrace" decode tx - </dev/null >"$work/out"
same 'no line, no refusal' 0 $?
# whoever writes a line and waits gets the answer before the next
mkfifo "$work/in" "$work/answers"
"$millrace" decode rlp --json - <"$work/in" >"$work/answers" &
exec 3>"$work/in" 4<"$work/answers"
for i in 1 2 3; do
    echo c10$i >&3
    read -r answer <&4
    same 'an answer a line' "[\"0x0$i\"]" "$answer"
done
exec 3>&- 4<&-
wait $!

# msg
gives 0 '{"name":"GetBlockBodies","version":68,"id":5,"RequestId":5,"GetBlockBodiesPacket":[]}' decode msg --eth 68 --id 5 --json c205c0
gives 0 'name: GetBlockBodies
version: 68
id: 5
RequestId: 5
GetBlockBodiesPacket: []' decode msg --eth 68 --id 5 c205c0
gives 1 '{"error":"eth/69 has no message with id 30","offset":0}' decode msg --eth 69 --id 30 --json c0
gives 1 '{"error":"eth/68 has no message with id 1 on this network: only those with proof of work have it","offset":0}' decode msg --eth 68 --id 1 --json c0
gives 0 '{"name":"NewBlockHashes","version":68,"id":1,"NewBlockHashesPacket":[]}' decode msg --network classic --eth 68 --id 1 --json c0
gives 1 '{"error":"an item of 2 bytes, but the input ends after 1","offset":0}' decode msg --eth 69 --id 5 --json c205

# the command line
refuses 'decode takes rlp, tx or msg' decode
refuses 'decode takes rlp, tx or msg' decode block 00
refuses 'decode rlp: one HEX is needed' decode rlp
refuses 'unexpected argument "c1"' decode rlp c0 c1
refuses 'unknown flag "--network"' decode rlp --network mainnet c0
refuses 'unknown flag "--fork"' decode msg --fork osaka --eth 69 --id 0 c0
refuses '--network "mainet" is not known: mainnet, sepolia' decode tx --network mainet 00
refuses '--network-file: cannot read /nowhere: No such file' decode tx --network-file /nowhere 00
refuses '--network and --network-file exclude each other' decode tx --network sepolia --network-file x 00
refuses '--fork "oska" is none of mainnet'"'"'s: homestead,' decode tx --fork oska 00
refuses '--eth takes a version of eth, 68 to 72' decode msg --id 0 c0
refuses '--eth takes a version of eth, 68 to 72' decode msg --eth 67 --id 0 c0
refuses '--id is needed' decode msg --eth 69 c0
refuses '--id takes a whole number' decode msg --eth 69 --id 0x10 c0
if [ -e /dev/full ]; then
    "$millrace" decode rlp c0 >/dev/full 2>"$work/stderr"
    same 'a full disk is no success' 1 $?
    same 'and is named' 1 "$(grep -c 'cannot write to standard output: No space left' "$work/stderr")"
fi

exit $((failures > 0))
