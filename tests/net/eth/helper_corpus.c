#include "tests/net/eth/helper_corpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "core/hex.h"

char *file_dup(size_t *n, const char *path)
{
    FILE *f = fopen(path, "rb");
    char *p;
    long size;

    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    size = ftell(f);
    rewind(f);
    p = malloc((size_t)size + 1);
    assert_non_null(p);
    assert_int_equal(fread(p, 1, (size_t)size, f), size);
    fclose(f);
    p[size] = 0;
    *n = (size_t)size;
    return p;
}

bool corpus_open(struct corpus *c, const char *name)
{
    char path[512];

    memset(c, 0, sizeof *c);
    snprintf(path, sizeof path, "%s/corpora/%s.bin", MR_SHARED_DATA, name);
    c->data = (uint8_t *)file_dup(&c->size, path);
    if (!c->data) {
        print_message("skipped: no %s\n", path);
        return false;
    }
    snprintf(path, sizeof path, "%s/corpora/%s.tsv", MR_SHARED_DATA, name);
    c->tsv = fopen(path, "r");
    assert_non_null(c->tsv);
    return true;
}

bool corpus_next(struct corpus *c, struct mr_span *record)
{
    uint32_t n;

    if (c->at == c->size)
        return false;
    assert_true(c->size - c->at >= 4);
    memcpy(&n, c->data + c->at, 4);
    assert_true(c->size - c->at - 4 >= n);
    *record = mr_span(c->data + c->at + 4, n);
    c->at += 4 + (size_t)n;
    do {
        assert_non_null(fgets(c->line, sizeof c->line, c->tsv));
    } while (c->line[0] == '#');
    c->columns = 0;
    for (char *p = c->line, *end; p && c->columns < MR_COUNT_OF(c->column); p = end) {
        end = strpbrk(p, "\t\n");
        if (end)
            *end++ = 0;
        c->column[c->columns++] = p;
    }
    return true;
}

void corpus_close(struct corpus *c)
{
    free(c->data);
    if (c->tsv)
        fclose(c->tsv);
}

struct mr_json *vectors_load(const char *name)
{
    struct mr_json_error error;
    struct mr_json *j;
    char path[512];

    snprintf(path, sizeof path, "%s/%s", MR_TEST_VECTORS, name);
    j = mr_json_load(&error, path);
    if (!j)
        fail_msg("%s: line %d: %s", path, error.line, error.text);
    return j;
}

uint8_t *hex_dup(size_t *n, const char *hex)
{
    size_t size = strlen(hex);
    uint8_t *p = malloc(size / 2 + 1);

    assert_non_null(p);
    assert_int_equal(mr_hex_decode(p, n, size / 2 + 1, hex, size), MR_OK);
    return p;
}

bool hex_is(const char *hex, const void *p, size_t n)
{
    char text[2 * 64 + 1];

    assert_true(n <= 64);
    mr_hex_encode(text, p, n);
    return strcmp(text, hex) == 0;
}
