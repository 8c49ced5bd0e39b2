/* What the fan-out driver's figures rest on: names of messages, cheap reading, who has what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>

#include "core/random.h"
#include "core/rlp.h"
#include "net/rlpx/snappy.h"
#include "perf/fan_payload.h"
#include "perf/fan_skim.h"
#include "perf/fan_track.h"

static void
every_payload_is_one_rlp_string_whose_name_is_read_from_its_compressed_form(void **state)
{
    static const uint32_t sizes[] = {9, 56, 58, 200, 257, 259, 65538, 65540, 131072};

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(sizes); i++) {
        struct mr_fan_options o = MR_FAN_OPTIONS_DEFAULT;
        struct mr_fan_payload f;
        struct mr_reader r;
        struct mr_span content;
        struct mr_writer w;
        uint8_t *room;
        uint64_t tag;
        char sentence[256];
        size_t n;

        o.bytes = sizes[i];
        assert_int_equal(mr_fan_payload_init(&f, &o, sentence, sizeof sentence), MR_OK);
        r = mr_reader(f.p, f.n);
        assert_int_equal(mr_rlp_bytes(&r, &content), MR_OK);
        assert_true(mr_reader_done(&r));
        mr_fan_payload_select(&f, 77);
        assert_non_null(room = malloc(MR_SNAPPY_DEFLATED_MAX(f.n)));
        w = mr_writer(room, MR_SNAPPY_DEFLATED_MAX(f.n));
        assert_int_equal(mr_snappy_put_preamble(&w, f.n), MR_OK);
        assert_int_equal(mr_snappy_fragment(w.p + w.n, w.cap - w.n, &n, mr_span(f.p, f.n)), MR_OK);
        assert_true(mr_fan_payload_peek(
            &tag, mr_span(room, MR_MIN(w.n + n, (size_t)MR_FAN_PEEK - 1)), f.n));
        assert_true(tag == mr_fan_tag(o.seed, 77));
        free(room);
        mr_fan_payload_fini(&f);
    }
}

static void sizes_that_no_rlp_string_has_are_refused(void **state)
{
    static const uint32_t sizes[] = {1, 8, 57, 258, 65539};

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(sizes); i++) {
        struct mr_fan_options o = MR_FAN_OPTIONS_DEFAULT;
        struct mr_fan_payload f;
        char sentence[256];

        o.bytes = sizes[i];
        assert_int_equal(mr_fan_payload_init(&f, &o, sentence, sizeof sentence), MR_INVALID);
        mr_fan_payload_fini(&f);
    }
}

static void generated_transactions_are_mixed_to_the_ratio(void **state)
{
    struct mr_fan_options o = MR_FAN_OPTIONS_DEFAULT;
    struct mr_fan_payload f;
    char sentence[256];

    (void)state;
    o.bytes = 131072;
    o.tx = true;
    assert_int_equal(mr_fan_payload_init(&f, &o, sentence, sizeof sentence), MR_OK);
    assert_true(f.ratio > MR_FAN_RATIO - MR_FAN_RATIO_OFF);
    assert_true(f.ratio < MR_FAN_RATIO + MR_FAN_RATIO_OFF);
    assert_true(f.transactions > 100);
    mr_fan_payload_fini(&f);
}

/* ---- reading ---- */

#define FRAMES 200

static void frames_are_found_however_the_stream_is_cut(void **state)
{
    static uint8_t data[4096], wire[FRAMES * (4096 + 64)];
    struct mr_rlpx_secrets secrets = {.aes = {1}, .mac = {2}};
    struct mr_rlpx_session sender, receiver;
    uint32_t sizes[FRAMES], seen = 0;
    struct mr_fan_skim skim;
    struct mr_random random;
    size_t n = 0;

    (void)state;
    mr_random_init(&random, 3);
    mr_random_fill(&random, data, sizeof data);
    mr_keccak_init(&secrets.egress);
    mr_keccak_init(&secrets.ingress);
    mr_rlpx_session_init(&sender, &secrets);
    mr_rlpx_session_init(&receiver, &secrets);
    for (uint32_t i = 0; i < FRAMES; i++) {
        const struct mr_span span =
            mr_span(data, sizes[i] = 1 + (uint32_t)mr_random_below(&random, i % 2 ? 60 : 4096));
        const struct mr_frame frame = {.spans = &span, .spans_count = 1, .size = sizes[i]};
        struct mr_seal_job job = {.session = &sender,
                                  .frames = &frame,
                                  .frames_count = 1,
                                  .out = wire + n,
                                  .out_cap = sizeof wire - n};

        mr_rlpx_seal_one(&job, NULL);
        assert_int_equal(job.frames_done, 1);
        n += job.out_len;
    }
    mr_fan_skim_init(&skim, &receiver);
    for (size_t at = 0; at < n;) {
        size_t take = MR_MIN(n - at, (size_t)(1 + mr_random_below(&random, 700)));
        struct mr_span in = mr_span(wire + at, take);
        struct mr_fan_frame frame;

        for (; mr_fan_skim_frame(&skim, &frame, &receiver, &in); seen++) {
            assert_int_equal(frame.size, sizes[seen]);
            assert_int_equal(frame.data.n, MR_MIN(sizes[seen], (uint32_t)MR_FAN_PEEK));
            assert_memory_equal(frame.data.p, data, frame.data.n);
        }
        assert_int_equal(in.n, 0);
        at += take;
    }
    assert_int_equal(seen, FRAMES);
}

/* ---- who has what ---- */

static void publish(struct mr_fan_track *t, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        mr_fan_track_published(t, 1000 * i);
}

static void a_message_is_complete_when_the_last_receiver_has_it(void **state)
{
    struct mr_fan_track t;

    (void)state;
    assert_int_equal(mr_fan_track_init(&t, 2, 1, 2, 5), MR_OK);
    publish(&t, 2);
    mr_fan_track_delivered(&t, 0, mr_fan_tag(5, 0), 2000000);
    mr_fan_track_delivered(&t, 0, mr_fan_tag(5, 1), 2000000);
    assert_int_equal(t.completed, 0);
    assert_int_equal(mr_fan_track_lost(&t), 2);
    mr_fan_track_delivered(&t, 1, mr_fan_tag(5, 0), 3000000);
    mr_fan_track_delivered(&t, 1, mr_fan_tag(5, 1), 9001000);
    assert_int_equal(t.completed, 2);
    assert_true(mr_fan_track_faultless(&t));
    assert_int_equal(mr_histogram_count(&t.latency), 2); /* without the warm-up */
    assert_int_equal(mr_histogram_count(&t.last), 1);
    assert_in_range(mr_histogram_max(&t.last), 9000, 9010);
    mr_fan_track_fini(&t);
}

static void loss_repetition_and_strangers_are_told_apart(void **state)
{
    struct mr_fan_track t;

    (void)state;
    assert_int_equal(mr_fan_track_init(&t, 5, 0, 1, 5), MR_OK);
    publish(&t, 5);
    mr_fan_track_delivered(&t, 0, mr_fan_tag(5, 0), 1);
    mr_fan_track_delivered(&t, 0, mr_fan_tag(5, 3), 1); /* 1 and 2 are skipped */
    assert_int_equal(t.dropped, 2);
    assert_int_equal(t.completed, 4); /* nobody waits for them any more */
    mr_fan_track_delivered(&t, 0, mr_fan_tag(5, 3), 1);
    assert_int_equal(t.doubled, 1);
    mr_fan_track_delivered(&t, 0, mr_fan_tag(6, 4), 1);
    assert_int_equal(t.damaged, 1);
    assert_int_equal(t.delivered, 2);
    assert_int_equal(mr_fan_track_lost(&t), 3); /* 1, 2 and, so far, 4 */
    mr_fan_track_delivered(&t, 0, mr_fan_tag(5, 4), 1);
    assert_int_equal(mr_fan_track_lost(&t), 2);
    mr_fan_track_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            every_payload_is_one_rlp_string_whose_name_is_read_from_its_compressed_form),
        cmocka_unit_test(sizes_that_no_rlp_string_has_are_refused),
        cmocka_unit_test(generated_transactions_are_mixed_to_the_ratio),
        cmocka_unit_test(frames_are_found_however_the_stream_is_cut),
        cmocka_unit_test(a_message_is_complete_when_the_last_receiver_has_it),
        cmocka_unit_test(loss_repetition_and_strangers_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
