#!/bin/sh
# purity_bites.sh CC: purity.sh accepts pure code with constant tables, and finds each thing that it is there to find.
set -u
. "$(dirname "$0")/bites.sh"
cc=${1:-cc}

fresh() { rm -f "$toy"/*; }

check() { sh "$here/purity.sh" "$toy/toy.a"; }

archive() { # archive NAME SOURCE
    printf '%b\n' "$2" >"$toy/$1.c"
    (cd "$toy" && "$cc" -fPIE -c "$1.c" -o "$1.c.o" && rm -f toy.a && ar rc toy.a "$1.c.o") || exit 2
}

pure() { # pure NAME SOURCE
    archive "$1" "$2"
    clean "this is allowed: $2"
}

impure() { # impure NAME SOURCE WHAT
    archive "$1" "$2"
    caught "$1.c.o" "$3" "$3"
}

pure a 'static const char *const names[] = {"x", "y"};\nconst char *f(int i) { return names[i]; }'
pure worker '#include <time.h>\nint f(struct timespec *t) { return clock_gettime(0, t); }'
impure a '#include <time.h>\nint f(struct timespec *t) { return clock_gettime(0, t); }' 'calls clock_gettime'
impure a '#include <unistd.h>\nlong f(void *p) { return read(0, p, 1); }' 'calls read'
impure a 'int f(void) { static int n; return n++; }' 'writable state (.bss)'
impure a 'int f(void) { static int n = 7; return n++; }' 'writable state (.data)'
impure a 'int g = 7;' 'g is writable state'
impure a 'int f(void) { static _Thread_local int n; return n++; }' 'writable state (.tbss)'
[ $failures = 0 ]
