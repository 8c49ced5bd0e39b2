/* entropy.h: randomness. Protocol code never draws it by itself: it takes an mr_entropy_fn, so that
 * a simulation with a seed repeats every byte.
 * Thread: any. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Fills p with n random bytes. Cannot fail: a source that runs dry must not return. */
typedef void (*mr_entropy_fn)(void *ctx, void *p, size_t n);

/* n bytes of the operating system's randomness, fit for keys and nonces (getrandom(2)).
 * False when the system refuses; what p holds is then undefined. */
bool mr_entropy(void *p, size_t n);

/* The same as an mr_entropy_fn; ctx is ignored. Ends the process when the system refuses, since
 * going on with predictable keys would be worse. */
void mr_entropy_system(void *ctx, void *p, size_t n);
