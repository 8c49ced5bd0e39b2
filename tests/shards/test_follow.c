/* A head that another shard found: rules and peers of this one follow it all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "tests/shards/helper_shard.h"

/* A post-merge header with the fields of London. */
static struct mr_buf *header_make(struct stage *st, uint64_t number, uint64_t time)
{
    uint8_t rlp[700], zeros[256] = {0};
    struct mr_writer w = mr_writer(rlp, sizeof rlp);
    size_t mark = mr_rlp_open(&w);
    const uint64_t numbers[] = {0, number, 30000000, 15000000, time};
    struct mr_buf *b;

    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(mr_rlp_put_bytes(&w, zeros, i == 2 ? 20 : 32), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(&w, zeros, 256), MR_OK);
    for (unsigned i = 0; i < MR_COUNT_OF(numbers); i++)
        assert_int_equal(mr_rlp_put_u64(&w, numbers[i]), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(&w, "", 0), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(&w, zeros, 32), MR_OK);
    assert_int_equal(mr_rlp_put_bytes(&w, zeros, 8), MR_OK);
    assert_int_equal(mr_rlp_put_u64(&w, 1000000007), MR_OK);
    assert_int_equal(mr_rlp_close(&w, mark), MR_OK);
    b = mr_buf_get(&st->shards[1]->pool, w.n);
    assert_non_null(b);
    memcpy(b->data, rlp, w.n);
    return b;
}

static void a_head_from_another_shard_is_told_to_peers(void **state)
{
    static struct stage st;
    struct stage_options o;
    struct mr_mail mail = {.kind = MR_MAIL_HEAD};
    struct mr_block_range range;
    struct actor *a;

    (void)state;
    stage_options_default(&o);
    o.shards = 2;
    stage_init(&st, &o);
    a = actor_new(&st);
    mail.buf = header_make(&st, 25000000, o.wall_s - 5);
    stage_mail(&st, 1, MR_MAIL_HINT, &mail);
    stage_settle(&st);
    assert_int_equal(stage_count(&st)->head_number, 25000000);
    assert_int_equal(actor_heard_count(a, true, MR_ETH_BLOCK_RANGE_UPDATE), 1);
    assert_int_equal(
        mr_block_range_decode(&range,
                              actor_payload(a, actor_heard(a, true, MR_ETH_BLOCK_RANGE_UPDATE, 0))),
        MR_OK);
    assert_int_equal(range.latest, 25000000);
    mail.buf = header_make(&st, 25000001, o.wall_s);
    stage_mail(&st, 1, MR_MAIL_HINT, &mail);
    stage_settle(&st);
    assert_int_equal(stage_count(&st)->head_number, 25000001);
    assert_int_equal(actor_heard_count(a, true, MR_ETH_BLOCK_RANGE_UPDATE), 1); /* every 32 */
    stage_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_from_another_shard_is_told_to_peers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
