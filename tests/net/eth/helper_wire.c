#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "core/hex.h"
#include "tests/net/eth/helper_wire.h"

/* Everything handed out "until the program ends", so that leak checkers see it held. */
static struct held {
    struct held *next;
    uint8_t b[];
} * held;

static uint8_t *hold(size_t n)
{
    struct held *h = malloc(sizeof *h + n + 1);

    assert_non_null(h);
    h->next = held;
    held = h;
    return h->b;
}

struct mr_span wire_hex(const char *hex)
{
    size_t n, cap = strlen(hex) / 2;
    uint8_t *p = hold(cap);

    assert_int_equal(mr_hex_decode(p, &n, cap, hex, strlen(hex)), MR_OK);
    return mr_span(p, n);
}

struct mr_span wire_json_hex(const struct mr_json *j)
{
    const char *s = mr_json_string(j, NULL);

    assert_non_null(s);
    return wire_hex(s);
}

uint8_t *wire_fill(uint8_t value, size_t n)
{
    uint8_t *p = hold(n);

    memset(p, value, n);
    return p;
}

uint8_t *wire_copy(struct mr_span s)
{
    uint8_t *p = malloc(s.n > 0 ? s.n : 1);

    assert_non_null(p);
    memcpy(p, s.p, s.n);
    return p;
}

void wire_refuses_all_but(wire_read *read, void *context, struct mr_span message)
{
    struct mr_span longer = mr_span(wire_fill(0, message.n + 1), message.n + 1);

    memcpy((uint8_t *)longer.p, message.p, message.n);
    for (size_t n = 0; n < message.n; n++) {
        uint8_t *cut = wire_copy(mr_span(message.p, n));

        if (read(mr_span(cut, n), context) == MR_OK)
            fail_msg("a prefix of %zu of %zu bytes was taken", n, message.n);
        free(cut);
    }
    assert_int_not_equal(read(longer, context), MR_OK);
    assert_int_equal(read(message, context), MR_OK);
}

void wire_begin(struct wire *b, size_t cap)
{
    b->w = mr_writer(hold(cap), cap);
}

size_t wire_open(struct wire *b)
{
    return mr_rlp_open(&b->w);
}

void wire_close(struct wire *b, size_t mark)
{
    assert_int_equal(mr_rlp_close(&b->w, mark), MR_OK);
}

void wire_u64(struct wire *b, uint64_t v)
{
    assert_int_equal(mr_rlp_put_u64(&b->w, v), MR_OK);
}

void wire_bytes(struct wire *b, const void *p, size_t n)
{
    assert_int_equal(mr_rlp_put_bytes(&b->w, p, n), MR_OK);
}

void wire_raw(struct wire *b, const void *p, size_t n)
{
    assert_int_equal(mr_rlp_put_raw(&b->w, p, n), MR_OK);
}

void wire_put(struct wire *b, const char *hex)
{
    struct mr_span s = wire_hex(hex);

    wire_raw(b, s.p, s.n);
}

struct mr_span wire_end(const struct wire *b)
{
    return mr_writer_span(&b->w);
}
