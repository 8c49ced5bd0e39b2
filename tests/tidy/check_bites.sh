#!/bin/sh
# A clean toy tree passes check.sh, and each violation alone makes it fail and name the line.
set -u
. "$(dirname "$0")/bites.sh"

fresh() { # a tree that breaks no rule
    rm -rf "$toy"
    mkdir -p "$toy/core" "$toy/crypto" "$toy/net/rlpx" "$toy/net/eth" "$toy/net/uring" "$toy/shards" "$toy/node" \
        "$toy/perf" "$toy/tests/core" "$toy/tests/tidy"
    cp "$here"/*.awk "$here/libraries.tsv" "$toy/tests/tidy/"
    printf '#pragma once\n#include <stdint.h>\n' >"$toy/core/a.h"
    printf '#include "core/a.h"\n#include <sys/socket.h>\nint a(void)\n{\n    return 1;\n}\n' >"$toy/core/a.c"
    printf '#include "core/a.h"\n' >"$toy/tests/core/test_a.c"
    printf '#include "core/a.h"\n' >"$toy/crypto/b.h"
    printf '#include "crypto/b.h"\n' >"$toy/net/rlpx/c.h"
    printf '#include "net/rlpx/c.h"\n' >"$toy/shards/d.h"
    printf '#include <liburing.h>\n' >"$toy/net/uring/u.h"
    printf '#include "shards/d.h"\n#include "node/e.h"\n' >"$toy/node/e.h"
    printf '#include "node/e.h"\n#include "tests/core/x.h"\n' >"$toy/perf/p.h"
}

check() { sh "$here/check.sh" "$toy"; }

function_of() { # function_of LINES
    printf 'int longest(int x)\n{\n'
    i=0
    while [ $i -lt "$1" ]; do echo '    x++;' && i=$((i + 1)); done
    printf '}\n'
}

fresh
clean "it breaks no rule"
printf '#include "core/a.h"\n#include "crypto/b.h"\n' >"$toy/core/a.h"; caught core/a.h:2 "core includes crypto"
echo '#include "net/rlpx/c.h"' >"$toy/crypto/b.h"; caught crypto/b.h:1 "crypto includes net"
echo '#  include "shards/d.h"' >"$toy/net/rlpx/c.h"; caught net/rlpx/c.h:1 "net includes shards"
echo '#include "node/e.h"' >"$toy/shards/d.h"; caught shards/d.h:1 "shards includes node"
echo '#include "net/rlpx/c.h"' >"$toy/net/eth/f.h"; caught net/eth/f.h:1 "net/eth includes net/rlpx"
echo '#include "perf/p.h"' >"$toy/node/e.h"; caught node/e.h:1 "node includes perf"
echo '#include "tests/core/x.h"' >"$toy/node/e.h"; caught node/e.h:1 "node includes tests"
echo '#include "a.h"' >"$toy/core/g.h"; caught core/g.h:1 "a path that does not begin at the root"
echo '#include "../core/a.h"' >"$toy/crypto/b.h"; caught crypto/b.h:1 "a path through the parent"
echo '#include <zlib.h>' >"$toy/core/g.h"; caught core/g.h:1 "a second includer of zlib"
echo '#include <secp256k1_recovery.h>' >"$toy/shards/g.h"; caught shards/g.h:1 "a second includer of secp256k1"
echo '#include <liburing.h>' >"$toy/shards/g.h"; caught shards/g.h:1 "a second includer of liburing"
echo '#include <unheard_of.h>' >"$toy/core/g.h"; caught core/g.h:1 "a library without a row"
printf '%0101d\n' 0 >"$toy/core/g.h"; caught core/g.h:1 "a line of 101 characters"
printf '%0101d\n' 0 >"$toy/tests/core/g.h"; caught tests/core/g.h:1 "a line of 101 characters in a test"
printf '%0100d\n' 0 >"$toy/core/g.h"; clean "a line has 100 characters"
function_of 70 >"$toy/core/a.c"; clean "a function has 70 lines"
function_of 71 >"$toy/core/a.c"; caught core/a.c:2 "a function of 71 lines"
function_of 71 >"$toy/core/a.c"
list="$toy/tests/tidy/long_functions.tsv"
printf 'core/a.c\tlongest\t71\n' >"$list"; clean "the function is a known one"
function_of 72 >"$toy/core/a.c"; printf 'core/a.c\tlongest\t71\n' >"$list"; caught core/a.c:2 "a known function that grew"
function_of 71 >"$toy/core/a.c"; printf 'core/a.c\tlongest\t72\n' >"$list"; caught core/a.c:2 "a number that is too high"
printf 'core/a.c\tlongest\t72\n' >"$list"; caught tests/tidy/long_functions.tsv:0 "a line that is no longer needed"
echo 'int h;' >"$toy/core/h.c"; caught core/h.c:0 "a source without a test"
echo 'int h;' >"$toy/core/h.c"; printf 'core/h.c\tby test_a\n' >"$toy/tests/tidy/untested.tsv"; clean "it is tested elsewhere"
fresh
printf 'core/gone.c\tby test_a\n' >"$toy/tests/tidy/untested.tsv"; caught tests/tidy/untested.tsv:0 "an exception for no file"
[ $failures = 0 ]
