/* Framing as the specification has it, unsealing step by step, and row H-13: nothing that was
 * changed, cut, replayed or moved is accepted, and nothing behind a wrong MAC is decrypted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/net/rlpx/helper_frames.h"

#define WIRE_MAX 4096

static uint8_t text[2048];

typedef void unseal_function(struct mr_unseal_job *job);

static void through_one(struct mr_unseal_job *job)
{
    mr_rlpx_unseal_one(job, NULL);
}

/* In the company of other sessions, which must not notice. */
static void through_lanes(struct mr_unseal_job *job)
{
    static struct mr_rlpx_session other[5], sealing;
    static uint8_t wire[5][256];
    const struct mr_span span = {text, 100};
    const struct mr_frame frame = {&span, 1, 100};
    struct mr_unseal_job jobs[6];
    struct frames_rng r = {99};

    for (int i = 0; i < 5; i++) {
        struct mr_seal_job seal = {.session = &sealing,
                                   .frames = &frame,
                                   .frames_count = 1,
                                   .out = wire[i],
                                   .out_cap = sizeof wire[i]};

        frames_pair(&r, &sealing, &other[i]);
        mr_rlpx_seal_one(&seal, NULL);
        jobs[i] = (struct mr_unseal_job){
            .session = &other[i], .in = wire[i], .in_len = seal.out_len, .size_max = 1000};
    }
    jobs[5] = *job;
    mr_rlpx_unseal(jobs, 6, NULL);
    *job = jobs[5];
    for (int i = 0; i < 5; i++) {
        assert_int_equal(jobs[i].result, MR_UNSEAL_FRAME);
        assert_memory_equal(jobs[i].payload, text, 100);
    }
}

static unseal_function *const unseals[] = {through_one, through_lanes};

/* Three frames of one session, and where they begin. */
struct three {
    struct mr_rlpx_session sender, receiver;
    uint8_t wire[WIRE_MAX];
    size_t at[4];
};
static const uint32_t three_sizes[3] = {5, 16, 33};

static void three_frames(struct three *t, uint64_t seed)
{
    struct frames_rng r = {seed};
    struct mr_span spans[3];
    struct mr_frame frames[3];
    struct mr_seal_job job;

    frames_pair(&r, &t->sender, &t->receiver);
    for (int i = 0; i < 3; i++) {
        spans[i] = mr_span(text + 100 * i, three_sizes[i]);
        frames[i] = (struct mr_frame){&spans[i], 1, three_sizes[i]};
    }
    job = (struct mr_seal_job){.session = &t->sender, .out = t->wire, .out_cap = WIRE_MAX};
    t->at[0] = 0;
    for (int i = 0; i < 3; i++) {
        job.frames = &frames[i], job.frames_count = 1;
        job.out = t->wire + t->at[i];
        mr_rlpx_seal_one(&job, NULL);
        assert_int_equal(job.out_len, MR_FRAME_WIRE_LEN(three_sizes[i]));
        t->at[i + 1] = t->at[i] + job.out_len;
    }
}

/* Opens frames until one is not whole or refused; returns their number, the end in *last. */
static int open_all(unseal_function *unseal, struct mr_rlpx_session *s, uint8_t *wire, size_t n,
                    struct mr_unseal_job *last)
{
    int frames = 0;

    for (size_t at = 0;; frames++) {
        *last = (struct mr_unseal_job){
            .session = s, .in = wire + at, .in_len = n - at, .size_max = MR_FRAME_SIZE_MAX};
        unseal(last);
        if (last->result != MR_UNSEAL_FRAME)
            return frames;
        at += last->consumed;
    }
}

static void three_frames_open_when_untouched(void **state)
{
    (void)state;
    for (size_t u = 0; u < MR_COUNT_OF(unseals); u++) {
        struct mr_unseal_job last;
        struct three t;

        three_frames(&t, 1);
        assert_int_equal(open_all(unseals[u], &t.receiver, t.wire, t.at[3], &last), 3);
        assert_int_equal(last.result, MR_UNSEAL_NEED);
        for (int i = 0; i < 3; i++)
            assert_memory_equal(t.wire + t.at[i] + 32, text + 100 * i, three_sizes[i]);
        frames_assert_same(&t.sender.egress, &t.receiver.ingress);
    }
}

/* After a refusal: the session stays dead, and from `from` on the wire is as it came. */
static void assert_refused(unseal_function *unseal, struct mr_unseal_job *last, const uint8_t *wire,
                           const uint8_t *before, size_t from, size_t n)
{
    struct mr_unseal_job again;

    assert_int_equal(last->result, MR_UNSEAL_AUTH);
    assert_null(last->payload);
    assert_int_equal(last->consumed, 0);
    assert_memory_equal(wire + from, before + from, n - from);
    again = (struct mr_unseal_job){.session = last->session, .in = last->in, .in_len = n - from};
    unseal(&again);
    assert_int_equal(again.result, MR_UNSEAL_AUTH);
    assert_memory_equal(wire + from, before + from, n - from);
}

static void every_flipped_bit_is_refused(void **state)
{
    struct three sealed;
    int refused = 0;

    (void)state;
    three_frames(&sealed, 2);
    for (size_t u = 0; u < MR_COUNT_OF(unseals); u++)
        for (size_t bit = 0; bit < 8 * sealed.at[3]; bit++) {
            struct mr_unseal_job last;
            struct three t = sealed;
            uint8_t before[WIRE_MAX];
            int hit = bit / 8 < t.at[1] ? 0 : bit / 8 < t.at[2] ? 1 : 2;

            t.wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
            memcpy(before, t.wire, sizeof before);
            assert_int_equal(open_all(unseals[u], &t.receiver, t.wire, t.at[3], &last), hit);
            assert_refused(unseals[u], &last, t.wire, before, t.at[hit], t.at[3]);
            refused++;
        }
    assert_int_equal(refused, 2 * 8 * (int)sealed.at[3]);
}

static void every_truncation_waits_and_shows_nothing(void **state)
{
    struct three sealed;

    (void)state;
    three_frames(&sealed, 3);
    for (size_t u = 0; u < MR_COUNT_OF(unseals); u++)
        for (size_t n = 0; n < sealed.at[3]; n++) {
            struct mr_unseal_job last;
            struct three t = sealed;
            int whole = n < t.at[1] ? 0 : n < t.at[2] ? 1 : 2;

            assert_int_equal(open_all(unseals[u], &t.receiver, t.wire, n, &last), whole);
            assert_int_equal(last.result, MR_UNSEAL_NEED);
            assert_true(last.need > 0 && n + last.need <= t.at[whole + 1]);
            assert_null(last.payload);
            assert_memory_equal(t.wire + t.at[whole], sealed.wire + t.at[whole],
                                sealed.at[3] - t.at[whole]);
        }
}

static void replayed_reordered_dropped_and_reflected_frames_are_refused(void **state)
{
    static const int orders[][3] = {{0, 0, 1}, {1, 0, 2}, {0, 2, 1}, {2, 1, 0},
                                    {0, 1, 1}, {0, 2, 2}, {1, 2, 0}};
    static const int good[] = {1, 0, 1, 0, 2, 1, 0};

    (void)state;
    for (size_t u = 0; u < MR_COUNT_OF(unseals); u++) {
        struct mr_unseal_job last;
        struct three t;

        for (size_t o = 0; o < MR_COUNT_OF(orders); o++) {
            uint8_t wire[WIRE_MAX], before[WIRE_MAX];
            size_t n = 0, from = 0;

            three_frames(&t, 4);
            for (int i = 0; i < 3; i++) {
                size_t len = t.at[orders[o][i] + 1] - t.at[orders[o][i]];

                if (i == good[o])
                    from = n;
                memcpy(wire + n, t.wire + t.at[orders[o][i]], len);
                n += len;
            }
            memcpy(before, wire, n);
            assert_int_equal(open_all(unseals[u], &t.receiver, wire, n, &last), good[o]);
            assert_refused(unseals[u], &last, wire, before, from, n);
        }
        three_frames(&t, 5); /* back to their sender */
        assert_int_equal(open_all(unseals[u], &t.sender, t.wire, t.at[3], &last), 0);
        assert_int_equal(last.result, MR_UNSEAL_AUTH);
    }
}

/* The specification's words, without the kept digest: a frame with any header and any padding. */
static size_t seal_by_the_book(struct mr_rlpx_session *s, uint8_t *out, const uint8_t header[16],
                               const uint8_t *padded, size_t n)
{
    struct mr_rlpx_direction *d = &s->egress;
    uint8_t digest[32], seed[16];

    mr_aes_ctr_xor(&s->aes, &d->ctr, out, header, 16);
    mr_keccak_digest(&d->mac, digest);
    mr_aes256_block_portable(&s->mac, seed, digest);
    for (int i = 0; i < 16; i++)
        seed[i] ^= out[i];
    mr_keccak_update(&d->mac, seed, 16);
    mr_keccak_digest(&d->mac, digest);
    memcpy(out + 16, digest, 16);

    mr_aes_ctr_xor_portable(&s->aes, &d->ctr, out + 32, padded, n);
    mr_keccak_update(&d->mac, out + 32, n);
    mr_keccak_digest(&d->mac, digest);
    mr_aes256_block_portable(&s->mac, seed, digest);
    for (int i = 0; i < 16; i++)
        seed[i] ^= digest[i];
    mr_keccak_update(&d->mac, seed, 16);
    mr_keccak_digest(&d->mac, digest);
    memcpy(out + 32 + n, digest, 16);
    return 32 + n + 16;
}

static void sealing_is_what_the_specification_says(void **state)
{
    struct mr_rlpx_session s, other, book;
    struct frames_rng r = {6};

    (void)state;
    for (int session = 0; session < 20; session++) {
        frames_pair(&r, &s, &other);
        book = s;
        for (int i = 0; i < 30; i++) {
            uint32_t size = frames_rng(&r, 700);
            uint8_t padded[1024] = {0}, header[16] = {0}, ours[1024], theirs[1024];
            struct mr_span span = {text, size};
            struct mr_frame frame = {&span, 1, size};
            struct mr_seal_job job = {.session = &s,
                                      .frames = &frame,
                                      .frames_count = 1,
                                      .out = ours,
                                      .out_cap = sizeof ours};

            memcpy(padded, text, size);
            mr_store_be24(header, size);
            memcpy(header + 3, "\xc2\x80\x80", 3);
            mr_rlpx_seal_one(&job, NULL);
            assert_int_equal(job.out_len, seal_by_the_book(&book, theirs, header, padded,
                                                           (size + 15) / 16 * 16));
            assert_memory_equal(ours, theirs, job.out_len);
        }
    }
}

static enum mr_unseal_result open_header(unseal_function *unseal, const void *header_data, size_t n)
{
    struct mr_rlpx_session s, other;
    struct frames_rng r = {7};
    uint8_t header[16] = {0, 0, 20}, wire[128], before[128];
    struct mr_unseal_job job = {.in = wire, .session = &other, .size_max = 100};

    memcpy(header + 3, header_data, n);
    frames_pair(&r, &s, &other);
    job.in_len = seal_by_the_book(&s, wire, header, text, 32);
    memcpy(before, wire, sizeof wire);
    unseal(&job);
    if (job.result == MR_UNSEAL_FRAME) {
        assert_int_equal(job.size, 20);
        assert_memory_equal(job.payload, text, 20); /* and the padding was not zero */
    } else {
        assert_memory_equal(before, wire, sizeof wire);
        assert_null(job.payload);
        unseal(&job);
        assert_int_equal(job.result, MR_UNSEAL_MALFORMED);
    }
    return job.result;
}

static void unknown_header_data_is_ignored_and_chunked_frames_are_refused(void **state)
{
#define DATA(s)                                                                                    \
    {                                                                                              \
        s, sizeof s - 1                                                                            \
    }
    static const struct mr_span_of {
        const char *p;
        size_t n;
    } ignored[] = {DATA("\xc2\x80\x80"),
                   DATA("\x00"),
                   DATA("\xc0"),
                   DATA("\xc1\x80"),
                   DATA("\xc2\x05\x80"),
                   DATA("\xc2\x80\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
                   DATA("\xce\x80\x80\x05"), /* longer than the 13 bytes there are */
                   DATA("\xf8\x80\x80\x80"),
                   DATA("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
                   DATA("\xc2\x80\xc0"),
                   DATA("\xc2\x81\x05"),
                   DATA("\xbf\xff\xff\xff\xff\xff\xff\xff\xff")},
      chunked[] = {
          DATA("\xc3\x80\x80\x05"), DATA("\xc5\x80\x80\x82\x10\x00"),
          DATA("\xc2\x80\x01"),     DATA("\xc4\x80\x82\x01\x00"),
          DATA("\xc3\x80\x01\x05"), DATA("\xcc\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80")};

    (void)state;
    for (size_t u = 0; u < MR_COUNT_OF(unseals); u++) {
        for (size_t i = 0; i < MR_COUNT_OF(ignored); i++)
            assert_int_equal(open_header(unseals[u], ignored[i].p, ignored[i].n), MR_UNSEAL_FRAME);
        for (size_t i = 0; i < MR_COUNT_OF(chunked); i++)
            assert_int_equal(open_header(unseals[u], chunked[i].p, chunked[i].n),
                             MR_UNSEAL_MALFORMED);
    }
}

static void we_send_c28080_and_zero_padding(void **state)
{
    struct three t;
    struct mr_aes_ctr ctr = {0};
    uint8_t plain[16];

    (void)state;
    three_frames(&t, 8);
    mr_aes_ctr_xor(&t.sender.aes, &ctr, plain, t.wire, 16);
    assert_memory_equal(plain, "\0\0\x05\xc2\x80\x80\0\0\0\0\0\0\0\0\0", 16);
    mr_aes_ctr_xor(&t.sender.aes, &ctr, plain, t.wire + 32, 16);
    assert_memory_equal(plain + 5, "\0\0\0\0\0\0\0\0\0\0", 11);
}

static void a_header_over_the_limit_stops_before_the_body(void **state)
{
    (void)state;
    for (size_t u = 0; u < MR_COUNT_OF(unseals); u++) {
        struct three t, sealed;
        struct mr_unseal_job job = {.session = &t.receiver, .size_max = 4};

        three_frames(&t, 9);
        sealed = t;
        job.in = t.wire, job.in_len = 10;
        unseals[u](&job);
        assert_int_equal(job.result, MR_UNSEAL_NEED);
        assert_int_equal(job.need, 22);
        assert_int_equal(job.consumed, 0);
        job.in_len = t.at[1];
        unseals[u](&job);
        assert_int_equal(job.result, MR_UNSEAL_HEADER);
        assert_int_equal(job.size, 5);
        assert_int_equal(job.consumed, 32);
        assert_int_equal(job.need, 32);
        assert_memory_equal(t.wire, sealed.wire, t.at[3]);
        assert_int_equal(t.receiver.ingress.done, 0);
        /* The caller has agreed by going on: the limit counts for headers only. */
        job.in = t.wire + 32, job.in_len = t.at[1] - 32;
        unseals[u](&job);
        assert_int_equal(job.result, MR_UNSEAL_FRAME);
        assert_memory_equal(job.payload, text, 5);
    }
}

static void a_body_may_come_byte_by_byte_and_move(void **state)
{
    (void)state;
    for (size_t u = 0; u < MR_COUNT_OF(unseals); u++) {
        struct mr_rlpx_session s, other;
        struct frames_rng r = {10};
        struct mr_span span = {text, 300};
        struct mr_frame frame = {&span, 1, 300};
        uint8_t wire[512], places[2][512];
        struct mr_seal_job seal = {
            .session = &s, .frames = &frame, .frames_count = 1, .out = wire, .out_cap = 512};
        struct mr_unseal_job job = {.session = &other};

        frames_pair(&r, &s, &other);
        mr_rlpx_seal_one(&seal, NULL);
        job.in = wire, job.in_len = 32;
        unseals[u](&job);
        assert_int_equal(job.result, MR_UNSEAL_HEADER);
        for (size_t n = 0; n <= seal.out_len - 32; n++) {
            job.in = places[n % 2], job.in_len = n;
            memcpy(job.in, wire + 32, n);
            unseals[u](&job);
            if (n < seal.out_len - 32) {
                assert_int_equal(job.result, MR_UNSEAL_NEED);
                assert_int_equal(job.need, seal.out_len - 32 - n);
                assert_int_equal(job.consumed, 0);
                assert_memory_equal(job.in, wire + 32, n);
            }
        }
        assert_int_equal(job.result, MR_UNSEAL_FRAME);
        assert_ptr_equal(job.payload, job.in);
        assert_memory_equal(job.payload, text, 300);
        assert_int_equal(job.consumed, seal.out_len - 32);
    }
}

static void empty_and_largest_frames_pass(void **state)
{
    static uint8_t zeros[MR_FRAME_SIZE_MAX], wire[MR_FRAME_WIRE_LEN(MR_FRAME_SIZE_MAX)];
    static const uint32_t sizes[] = {0, 1, 15, 16, 17, MR_FRAME_SIZE_MAX};
    struct frames_rng r = {11};

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(sizes); i++) {
        struct mr_rlpx_session s, other;
        struct mr_span span = {zeros, sizes[i]};
        struct mr_frame frame = {&span, sizes[i] > 0, sizes[i]};
        struct mr_seal_job seal = {.session = &s,
                                   .frames = &frame,
                                   .frames_count = 1,
                                   .out = wire,
                                   .out_cap = sizeof wire};
        struct mr_unseal_job job = {.session = &other, .in = wire, .size_max = MR_FRAME_SIZE_MAX};

        frames_pair(&r, &s, &other);
        mr_rlpx_seal_one(&seal, NULL);
        assert_int_equal(seal.out_len, MR_FRAME_WIRE_LEN(sizes[i]));
        assert_int_equal(seal.frames_done, 1);
        job.in_len = seal.out_len;
        mr_rlpx_unseal_one(&job, NULL);
        assert_int_equal(job.result, MR_UNSEAL_FRAME);
        assert_int_equal(job.size, sizes[i]);
        assert_memory_equal(job.payload, zeros, sizes[i]);
    }
}

static void thirty_two_bytes_of_room_always_make_progress(void **state)
{
    struct mr_rlpx_session s, other, whole;
    struct frames_rng r = {12};
    struct mr_span span = {text, 1000};
    struct mr_frame frames[2] = {{&span, 1, 1000}, {&span, 1, 3}};
    uint8_t wire[2048], expected[2048];
    struct mr_seal_job seal = {.session = &whole,
                               .frames = frames,
                               .frames_count = 2,
                               .out = expected,
                               .out_cap = sizeof expected};
    size_t at = 0, done = 0;

    (void)state;
    frames_pair(&r, &s, &other);
    whole = s;
    mr_rlpx_seal_one(&seal, NULL);
    while (done < 2) {
        struct mr_seal_job slice = {.session = &s,
                                    .frames = frames + done,
                                    .frames_count = (uint32_t)(2 - done),
                                    .out = wire + at,
                                    .out_cap = 32};

        mr_rlpx_seal_one(&slice, NULL);
        assert_true(slice.out_len >= 16 && slice.out_len <= 32);
        assert_int_equal(mr_rlpx_sealing(&s), s.egress.stage == MR_RLPX_BODY);
        at += slice.out_len, done += slice.frames_done;
    }
    assert_int_equal(at, seal.out_len);
    assert_memory_equal(wire, expected, at);
}

static void a_session_copied_in_mid_frame_goes_on_elsewhere(void **state)
{
    struct three t;
    struct mr_rlpx_session moved;
    struct mr_unseal_job job = {.session = &t.receiver, .in = t.wire, .size_max = 100};

    (void)state;
    three_frames(&t, 13);
    job.in_len = t.at[1] - 20;
    mr_rlpx_unseal_one(&job, NULL);
    assert_int_equal(job.result, MR_UNSEAL_NEED);
    moved = t.receiver;
    mr_rlpx_session_wipe(&t.receiver);
    for (size_t i = 0; i < sizeof t.receiver; i++)
        assert_int_equal(((uint8_t *)&t.receiver)[i], 0);
    job.session = &moved;
    job.in += job.consumed, job.in_len = t.at[1] - 32;
    mr_rlpx_unseal_one(&job, NULL);
    assert_int_equal(job.result, MR_UNSEAL_FRAME);
    assert_memory_equal(job.payload, text, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_frames_open_when_untouched),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_truncation_waits_and_shows_nothing),
        cmocka_unit_test(replayed_reordered_dropped_and_reflected_frames_are_refused),
        cmocka_unit_test(sealing_is_what_the_specification_says),
        cmocka_unit_test(unknown_header_data_is_ignored_and_chunked_frames_are_refused),
        cmocka_unit_test(we_send_c28080_and_zero_padding),
        cmocka_unit_test(a_header_over_the_limit_stops_before_the_body),
        cmocka_unit_test(a_body_may_come_byte_by_byte_and_move),
        cmocka_unit_test(empty_and_largest_frames_pass),
        cmocka_unit_test(thirty_two_bytes_of_room_always_make_progress),
        cmocka_unit_test(a_session_copied_in_mid_frame_goes_on_elsewhere),
    };
    struct frames_rng r = {14};

    mr_keccak_select();
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(1 + frames_rng(&r, 255));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
