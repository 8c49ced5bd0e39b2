#!/bin/sh
# secrets_bites.sh: secrets.sh accepts a tree whose list fits it, and finds each thing that it is there to find.
set -u
. "$(dirname "$0")/bites.sh"

fresh() { # a writer that is listed, and a file that is listed for the key it holds
    rm -rf "$toy"
    mkdir -p "$toy/net/rlpx" "$toy/shards" "$toy/node" "$toy/tests/tidy"
    cp "$here/secrets.awk" "$toy/tests/tidy/"
    printf 'message\t^shards/a\\.c:greet$\twhy\nsecret\t^node/key\\.h$\twhy\n' >"$toy/tests/tidy/secrets.tsv"
    function_of greet '/* the secrets stay */ n = mr_message_spans(spans, head, t, 1, mr_span("self", 4));' >"$toy/shards/a.c"
    printf 'struct node {\n    struct mr_secp_keypair self;\n};\n' >"$toy/node/key.h"
    function_of id 'memcpy(out, h->self.pub.b, 64); f(sizeof h->self);' >"$toy/node/key.c"
}

function_of() { # function_of NAME LINE
    printf 'int %s(int x,\n     int y)\n{\n    %s\n}\n' "$1" "$2"
}

check() { sh "$here/secrets.sh" "$toy"; }

fresh
clean "nothing is wrong"
function_of also 'mr_rlpx_seal(jobs, 1, NULL);' >>"$toy/shards/a.c"; caught shards/a.c:9 "a second function that seals"
function_of greet 'mr_message_put_head(w, t, 1, 2);' >"$toy/shards/b.c"; caught shards/b.c:4 "its name in another file"
echo 'void f(const struct mr_rlpx_secrets *s);' >"$toy/shards/a.h"; caught shards/a.h:1 "a file that names secrets"
function_of f 'struct mr_secp_keypair k = *key;' >"$toy/shards/b.c"; caught shards/b.c:4 "a function that has a key"
function_of id 'x = mr_span(&h->self, 96);' >"$toy/node/key.c"; caught node/key.c:4 "a span of a key"
function_of id 'e = mr_rlp_put_bytes(w, h->self.key, 32);' >"$toy/node/key.c"; caught node/key.c:4 "a key that is encoded"
function_of id 'memcpy(out, &p->session, n);' >"$toy/node/key.c"; caught node/key.c:4 "a session that is copied out"
printf 'int id(void)\n{\n    memcpy(out,\n           secrets.mac, 32);\n}\n' >"$toy/node/key.c"
caught node/key.c:4 "a statement of two lines"
echo >"$toy/shards/a.c"; caught tests/tidy/secrets.tsv:0 "a writer that is gone"
[ $failures = 0 ]
