/* self_test.h: every primitive once against a known answer or its own inverse: a millisecond at
 * start, so that a broken build, library or CPU is found before a key is used.
 * Thread: any, after mr_keccak_select. Memory: the stack. */
#pragma once
#include "crypto/secp.h"

/* NULL, or what failed, as words for a sentence. */
MR_MUST_USE const char *mr_crypto_self_test(const struct mr_secp *s);
