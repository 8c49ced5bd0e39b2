/* Several relays, and what passes through them: exactly one session between two that dial each
 * other, and the same bytes at the end of a row. */
#include "tests/system/process.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/hex.h"
#include "core/json.h"
#include "core/random.h"
#include "crypto/secp.h"
#include "net/eth/tx.h"

/* A relay whose key and port are known before it runs. */
struct known {
    char dir[64], key[96], port[16], url[MR_ENODE_TEXT_MAX], shards[4];
};

static void known_make(struct known *k, uint64_t seed, const char *shards)
{
    struct mr_client_options o = peer_options(seed);
    struct mr_endpoint at;
    struct mr_client c;
    char digits[65];

    memset(k, 0, sizeof *k);
    process_make_dir(k->dir);
    close(peer_listen(&at, k->url, seed));
    snprintf(k->port, sizeof k->port, "%u", at.port);
    snprintf(k->key, sizeof k->key, "%.63s/key", k->dir);
    snprintf(k->shards, sizeof k->shards, "%s", shards);
    mr_client_init(&c, &o);
    mr_hex_encode(digits, c.key.key, 32);
    digits[64] = 0;
    process_write_file(k->key, digits, 0600);
    mr_client_close(&c);
}

static void known_spawn(struct process *p, const struct known *k, const char *other)
{
    process_spawn(
        p, ARGS("--port", k->port, "--nodekey", k->key, "--static", other, "--shards", k->shards),
        &(struct process_options){.dir = k->dir});
}

static void two_that_dial_each_other_have_exactly_one_session(void **state)
{
    static const int offsets_ms[] = {0, 2, 50}; /* a thousand of them: tests/sim */
    enum { PAIRS = MR_COUNT_OF(offsets_ms) };
    struct known k[PAIRS][2];
    struct process p[PAIRS][2];

    for (unsigned pair = 0; pair < PAIRS; pair++) {
        for (unsigned i = 0; i < 2; i++)
            known_make(&k[pair][i], 1000 + 2 * pair + i, *state);
        known_spawn(&p[pair][0], &k[pair][0], k[pair][1].url);
        process_sleep_ms(offsets_ms[pair]);
        known_spawn(&p[pair][1], &k[pair][1], k[pair][0].url);
    }
    for (unsigned i = 0; i < 2 * PAIRS; i++) {
        process_await_equal(&p[i / 2][i % 2], "peers", 1, 10000);
        /* one on which neither side heard a Status is silent for 5 s before it goes */
        process_await_equal(&p[i / 2][i % 2], "sessions", 1, 8000);
    }
    process_sleep_ms(1000); /* and it stays */
    for (unsigned i = 0; i < 2 * PAIRS; i++) {
        struct process *one = &p[i / 2][i % 2];

        assert_int_equal(process_stat_now(one, "sessions"), 1);
        assert_int_equal(process_stat(one, "peers"), 1);
        assert_int_equal(process_stat(one, "listed_absent"), 0);
    }
    for (unsigned i = 0; i < 2 * PAIRS; i++) {
        process_stop(&p[i / 2][i % 2]);
        process_remove_dir(k[i / 2][i % 2].dir);
    }
}

/* Every real transaction of the vectors that the rules of today accept. */
static size_t real_samples(struct sample *out, size_t max)
{
    struct mr_json *root = mr_json_load(NULL, MR_TEST_VECTORS "/tx_signing.json");
    const struct mr_json *valid = mr_json_get(root, "valid");
    size_t count = 0;

    assert_non_null(root);
    for (size_t i = 0; i < mr_json_count(valid) && count < max; i++) {
        const struct mr_json *v = mr_json_at(valid, i);
        const char *name = mr_json_string(mr_json_get(v, "name"), NULL);
        size_t n;
        uint8_t *raw = mr_json_hex_dup(mr_json_get(v, "raw"), &n);

        assert_non_null(raw);
        if (strstr(name, "real mainnet") && raw[0] != MR_TX_BLOB)
            sample_of(&out[count++], raw, n);
        free(raw);
    }
    mr_json_free(root);
    return count;
}

static void bytes_are_the_same_behind_two_relays_in_a_row(void **state)
{
    struct sample s[40];
    size_t n = real_samples(s, 30);
    struct process first, second;
    struct mr_client a, b;

    assert_true(n >= 12);
    sample_make(&s[n++], 1, 0, 10);
    sample_make(&s[n++], 2, 0, 5000); /* announced only */
    sample_make(&s[n++], 3, 0, 100000);
    process_start(&first, ARGS("--shards", *state), NULL);
    process_start(&second, ARGS("--static", first.url, "--shards", *state), NULL);
    process_await_equal(&first, "peers", 1, 8000);
    peer_open(&a, &first, 1);
    peer_open(&b, &second, 2);
    process_await_equal(&second, "peers", 2, 4000);
    for (size_t i = 0; i < n; i++) {
        bool there = i % 2 == 0;
        struct mr_client *from = there ? &a : &b, *to = there ? &b : &a;

        if (i % 3 == 0) {
            sample_announce(from, &s[i]);
            assert_true(sample_serve(from, &s[i], 3000));
        } else {
            sample_send(from, &s[i]);
        }
        if (!sample_arrives(to, &s[i], 4000))
            fail_msg("transaction %zu of type %u does not arrive", i, s[i].type);
    }
    assert_int_equal(
        process_stat_now(&first, "tx_accepted") + process_stat_now(&second, "tx_accepted"), 2 * n);
    assert_int_equal(process_stat(&first, "tx_duplicate"), 0);
    assert_int_equal(process_stat(&second, "tx_duplicate"), 0);
    for (size_t i = 0; i < n; i++)
        sample_free(&s[i]);
    mr_client_close(&a);
    mr_client_close(&b);
    process_stop(&second);
    process_stop(&first);
}

static void ten_peers_hear_of_each_transaction_once_and_its_sender_never(void **state)
{
    struct mr_client peers[10];
    struct process p;
    struct sample s[20];
    unsigned heard[10][20] = {{0}};
    struct mr_client_message m;

    process_start(&p, ARGS("--shards", *state), NULL);
    for (unsigned i = 0; i < 10; i++)
        peer_open(&peers[i], &p, 50 + i);
    process_await_equal(&p, "peers", 10, 4000);
    for (unsigned k = 0; k < 20; k++) {
        sample_make(&s[k], k, 0, k * 250);
        sample_send(&peers[k % 10], &s[k]);
    }
    for (unsigned i = 0; i < 10; i++) {
        int64_t until = process_now_ms() + (i == 0 ? 2000 : 50), left; /* the rest has come */

        while ((left = until - process_now_ms()) > 0 &&
               mr_client_receive(&peers[i], &m, (int)left) == MR_CLIENT_MESSAGE)
            for (unsigned k = 0; k < 20; k++)
                heard[i][k] += sample_in(&peers[i], &m, &s[k]);
    }
    for (unsigned i = 0; i < 10; i++)
        for (unsigned k = 0; k < 20; k++)
            if (heard[i][k] != (k % 10 == i ? 0 : 1))
                fail_msg("peer %u heard %u times of transaction %u", i, heard[i][k], k);
    for (unsigned k = 0; k < 20; k++)
        sample_free(&s[k]);
    for (unsigned i = 0; i < 10; i++)
        mr_client_close(&peers[i]);
    process_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(two_that_dial_each_other_have_exactly_one_session),
        BOTH(bytes_are_the_same_behind_two_relays_in_a_row),
        BOTH(ten_peers_hear_of_each_transaction_once_and_its_sender_never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
