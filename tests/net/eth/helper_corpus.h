/* helper_corpus.h: real chain data that lies beside the project, and vectors inside it. Tests skip
 * with a line where the data is absent. */
#pragma once
#include <stdio.h>

#include "core/base.h"
#include "core/json.h"

struct corpus {
    uint8_t *data;
    size_t size, at;
    FILE *tsv;
    char line[2048];
    char *column[16];
    size_t columns;
};

/* Opens NAME.bin and NAME.tsv of the corpora; false, with a line, where they are absent. */
bool corpus_open(struct corpus *c, const char *name);
/* The next record and its line, split at tabs; false at the end. */
bool corpus_next(struct corpus *c, struct mr_span *record);
void corpus_close(struct corpus *c);

/* tests/vectors/NAME, as JSON; the test fails if it cannot be read. */
struct mr_json *vectors_load(const char *name);
/* The bytes of a hexadecimal text, in new memory; the test fails on other text. */
uint8_t *hex_dup(size_t *n, const char *hex);
/* A whole file in new memory, with a NUL behind it. NULL if it cannot be read. */
char *file_dup(size_t *n, const char *path);
/* Compares bytes with a hexadecimal text without 0x. */
bool hex_is(const char *hex, const void *p, size_t n);
