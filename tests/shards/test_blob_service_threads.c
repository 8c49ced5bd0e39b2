/* The blob service against a shard that the test plays itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/random.h"
#include "crypto/secp.h"
#include "net/eth/message.h"
#include "net/eth/tx_build.h"
#include "shards/blob_service.h"
#include "shards/txmeta.h"

#define SHARD 0

struct bench {
    struct mr_mesh *mesh;
    struct mr_wake_table wake;
    struct mr_buf_pool pool;
    struct mr_blob_service *service;
    int event;
};

static void bench_open(struct bench *b, struct mr_kzg *(*load)(void))
{
    struct mr_blob_service_setup setup = {.wake = &b->wake, .load = load};
    char why[256];

    b->mesh = setup.mesh = mr_mesh_new(1, 256, 64, 16);
    assert_non_null(b->mesh);
    assert_int_equal(mr_buf_pool_init(&b->pool, 1u << 20, 64u << 20), MR_OK);
    mr_wake_table_init(&b->wake);
    b->event = mr_event_open();
    b->wake.at[SHARD].event_fd = b->event;
    b->service = mr_blob_service_new(&setup, why, sizeof why);
    assert_non_null(b->service);
    b->wake.at[mr_mesh_service(1)].event_fd = mr_blob_service_event_fd(b->service);
    assert_true(mr_blob_service_start(b->service));
}

static void bench_close(struct bench *b)
{
    mr_blob_service_stop(b->service);
    mr_mesh_drain(b->mesh);
    mr_mesh_free(b->mesh);
    assert_int_equal(mr_buf_pool_fini(&b->pool), 0);
    close(b->event);
}

/* Within five seconds. */
static bool mail_wait(struct bench *b, struct mr_mail *out, int ms)
{
    uint64_t until = mr_clock_now().mono_ns + (uint64_t)ms * MR_MS, signals;

    for (;;) {
        struct pollfd pfd = {.fd = b->event, .events = POLLIN};

        if (mr_mail_take(b->mesh, SHARD, out))
            return true;
        if (mr_clock_now().mono_ns > until)
            return false;
        if (!mr_mail_sleep(b->mesh, SHARD))
            continue;
        if (poll(&pfd, 1, 50) == 1)
            assert_int_equal(read(b->event, &signals, sizeof signals), sizeof signals);
        mr_mail_awake(b->mesh, SHARD);
    }
}

static void send_item(struct bench *b, struct mr_span item, uint64_t ticket)
{
    struct mr_mail mail = {.kind = MR_MAIL_BLOB, .a = ticket};
    struct mr_txmeta meta = {.item_bytes = (uint32_t)item.n, .fragment_bytes = (uint32_t)item.n};
    bool wake = false;

    mail.buf = mr_buf_get(&b->pool, sizeof meta + item.n);
    assert_non_null(mail.buf);
    memcpy(mail.buf->data, &meta, sizeof meta);
    memcpy(mail.buf->data + sizeof meta, item.p, item.n);
    assert_true(mr_mail_send(b->mesh, SHARD, mr_mesh_service(1), MR_MAIL_FLOW, &mail, &wake));
    if (wake)
        mr_event_signal(b->wake.at[mr_mesh_service(1)].event_fd);
}

/* ---- a blob transaction in both forms ---- */

static struct {
    uint8_t blob[MR_BLOB_SIZE], commitment[48], v0[48], v1[128 * 48];
    struct mr_kzg *kzg;
} made;

static struct mr_kzg *load_made(void)
{
    struct mr_kzg *k = made.kzg;

    made.kzg = NULL;
    return k;
}

static struct mr_kzg *load_nothing(void)
{
    return NULL;
}

static bool make(void)
{
    made.kzg = mr_kzg_load();
    if (!made.kzg) {
        print_message("skipped: this build is without c-kzg\n");
        return false;
    }
    made.blob[31] = 5;
    assert_int_equal(mr_kzg_prove_blob(made.kzg, made.commitment, made.v0, false, made.blob),
                     MR_KZG_VALID);
    assert_int_equal(mr_kzg_prove_blob(made.kzg, made.commitment, made.v1, true, made.blob),
                     MR_KZG_VALID);
    return true;
}

static struct mr_span wrapped(struct mr_writer *w, enum mr_wrapper wrapper)
{
    uint8_t seed[32] = {1}, key[32] = {2}, room[1024];
    struct mr_secp *secp = mr_secp_create(seed);
    struct mr_writer consensus = mr_writer(room, sizeof room), raw = {0};
    struct mr_tx_fields f = {.type = MR_TX_BLOB, .chain_id = 1, .blob_hashes_count = 1};
    struct mr_span proofs = wrapper == MR_WRAPPER_V1 ? mr_span(made.v1, sizeof made.v1)
                                                     : mr_span(made.v0, sizeof made.v0);
    struct mr_hash hash;

    assert_true(mr_versioned_hash(&hash, made.commitment));
    f.blob_hashes = &hash;
    assert_int_equal(mr_tx_build(&consensus, &f, secp, key), MR_OK);
    raw.cap = 2 * MR_BLOB_SIZE;
    raw.p = malloc(raw.cap);
    assert_int_equal(mr_tx_build_blob_wrapper(&raw, wrapper, mr_writer_span(&consensus),
                                              mr_span(made.blob, sizeof made.blob),
                                              mr_span(made.commitment, sizeof made.commitment),
                                              proofs),
                     MR_OK);
    assert_int_equal(mr_tx_item_put(w, mr_writer_span(&raw)), MR_OK);
    free(raw.p);
    mr_secp_destroy(secp);
    return mr_writer_span(w);
}

static void expect(struct bench *b, uint64_t ticket, enum mr_blob_verdict verdict)
{
    struct mr_mail mail;

    assert_true(mail_wait(b, &mail, 5000));
    assert_int_equal(mail.kind, MR_MAIL_VERDICT);
    assert_int_equal(mail.from, mr_mesh_service(1));
    assert_int_equal(mail.a, ticket);
    assert_int_equal(mail.b, verdict);
}

static void verdicts_come_in_order(void **state)
{
    struct mr_writer v0 = {0}, v1 = {0};
    struct mr_mail mail;
    struct bench b;

    (void)state;
    if (!make())
        skip();
    v0.cap = v1.cap = 2 * MR_BLOB_SIZE;
    v0.p = malloc(v0.cap);
    v1.p = malloc(v1.cap);
    wrapped(&v0, MR_WRAPPER_V0);
    wrapped(&v1, MR_WRAPPER_V1);
    bench_open(&b, load_made);
    assert_true(mail_wait(&b, &mail, 5000));
    assert_int_equal(mail.kind, MR_MAIL_READY);
    send_item(&b, mr_writer_span(&v1), 70);
    send_item(&b, mr_writer_span(&v0), 71);
    v0.p[v0.n - 1] ^= 1; /* of the proof */
    send_item(&b, mr_writer_span(&v0), 72);
    v0.p[v0.n - 1] ^= 1;
    send_item(&b, mr_span(v0.p, 100), 73);
    send_item(&b, mr_writer_span(&v0), 74);
    expect(&b, 70, MR_BLOB_OK);
    expect(&b, 71, MR_BLOB_OK);
    expect(&b, 72, MR_BLOB_BAD);
    expect(&b, 73, MR_BLOB_BAD);
    expect(&b, 74, MR_BLOB_OK);
    assert_int_equal(mr_blob_service_metrics(b.service)->proof_ok, 3);
    assert_int_equal(mr_blob_service_metrics(b.service)->proof_bad, 2);
    send_item(&b, mr_writer_span(&v1), 75); /* stop does not lose its buffer */
    bench_close(&b);
    free(v0.p);
    free(v1.p);
}

static void without_a_setup_it_never_becomes_ready(void **state)
{
    struct mr_mail mail;
    struct bench b;

    (void)state;
    bench_open(&b, load_nothing);
    assert_false(mail_wait(&b, &mail, 100));
    bench_close(&b);
}

static sem_t loading, go_on, loaded;

static struct mr_kzg *load_slowly(void)
{
    sem_post(&loading);
    sem_wait(&go_on);
    sem_post(&loaded);
    return NULL;
}

static void stop_does_not_wait_for_a_load(void **state)
{
    struct timespec pause = {.tv_nsec = 50000000};
    struct bench b;

    (void)state;
    sem_init(&loading, 0, 0);
    sem_init(&go_on, 0, 0);
    sem_init(&loaded, 0, 0);
    bench_open(&b, load_slowly);
    sem_wait(&loading);
    bench_close(&b); /* mesh and table are gone now: the sanitizers watch what the thread touches */
    sem_post(&go_on);
    sem_wait(&loaded);
    nanosleep(&pause, NULL);
}

static void stop_works_on_one_that_never_started(void **state)
{
    struct mr_wake_table wake;
    struct mr_blob_service_setup setup = {.mesh = mr_mesh_new(1, 8, 8, 8), .wake = &wake};
    char why[64];
    struct mr_blob_service *s = mr_blob_service_new(&setup, why, sizeof why);

    (void)state;
    assert_non_null(s);
    mr_blob_service_stop(s);
    mr_blob_service_stop(NULL);
    mr_mesh_free(setup.mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_come_in_order),
        cmocka_unit_test(without_a_setup_it_never_becomes_ready),
        cmocka_unit_test(stop_does_not_wait_for_a_load),
        cmocka_unit_test(stop_works_on_one_that_never_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
