/* ct.h: comparing and wiping secrets without telling them.
 * Thread: any. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Whether n bytes at a and b are equal. The time depends on n only. */
bool mr_ct_equal(const void *a, const void *b, size_t n);

/* Writes zeros that the compiler may not leave out. p may be NULL when n is 0. */
void mr_wipe(void *p, size_t n);
