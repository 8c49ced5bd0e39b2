/* Blob transactions through a whole relay: announced, fetched, proved by the service, announced on,
 * served; those with a wrong sidecar reach nobody and cost their sender the session. Real c-kzg,
 * transactions of the corpora (Sepolia, wrapper version 1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/eth/announce.h"
#include "shards/runtime.h"
#include "tests/support/client.h"

#define LOOPBACK 0x7f000001u
#define MAX      4

struct blob_tx {
    uint8_t *raw;
    uint32_t n;
    struct mr_hash hash;
};

/* Reads a corpus; 0 if it is not here. */
static size_t corpus(struct blob_tx out[MAX], const char *name)
{
    char path[512];
    uint8_t head[4];
    size_t n = 0;
    FILE *f;

    snprintf(path, sizeof path, "%s/corpora/%s.bin", MR_SHARED_DATA, name);
    f = fopen(path, "rb");
    for (; f && n < MAX && fread(head, 1, 4, f) == 4; n++) {
        struct blob_tx *t = &out[n];
        struct mr_tx tx;

        t->n = head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16;
        t->raw = malloc(t->n);
        assert_int_equal(fread(t->raw, 1, t->n, f), t->n);
        assert_int_equal(mr_tx_decode_raw(&tx, t->raw, t->n), MR_OK);
        mr_tx_hash(&tx, &t->hash);
    }
    if (f)
        fclose(f);
    return n;
}

static void corpus_free(struct blob_tx *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(t[i].raw);
}

struct node {
    struct mr_relay_options options;
    struct mr_secp *secp;
    struct mr_secp_keypair key;
    struct mr_runtime *runtime;
    const struct mr_network *network;
};

static uint64_t metric(struct node *n, const struct mr_metric_set *set, const char *name)
{
    return mr_runtime_metric(n->runtime, set, name);
}

static void node_open(struct node *n)
{
    struct mr_runtime_setup setup = {.options = &n->options,
                                     .listen = {.ip = LOOPBACK},
                                     .client = "millrace/test",
                                     .blobs = true};
    uint8_t seed[32] = {5};
    char why[256];

    mr_relay_options_tiny(&n->options);
    n->options.shards = 2;
    n->secp = mr_secp_create(seed);
    mr_secp_keypair_make(n->secp, &n->key, mr_entropy_system, NULL);
    setup.secp = n->secp, setup.self = &n->key;
    setup.network = n->network = mr_network_find("sepolia");
    n->runtime = mr_runtime_new(&setup, why, sizeof why);
    if (!n->runtime || !mr_runtime_start(n->runtime, why, sizeof why))
        fail_msg("%s", why);
    for (int i = 0; i < 30000 && !metric(n, &mr_blob_metrics_set, "proof_ready"); i++)
        usleep(1000);
    assert_int_equal(metric(n, &mr_blob_metrics_set, "proof_ready"), 1);
    /* the shards read of it before they adopt anybody from here on */
}

static void node_close(struct node *n)
{
    assert_true(mr_runtime_stop(n->runtime, MR_REASON_QUITTING));
    mr_runtime_free(n->runtime);
    mr_secp_destroy(n->secp);
}

/* The corpora are of one account and one nonce: only what trusted peers bring passes the rule of
 * replacements. */
static void trust(struct node *n, const uint64_t *seeds, size_t count)
{
    struct mr_listed_node nodes[8] = {0};

    for (size_t i = 0; i < count; i++) {
        struct mr_client_options o = {.secp = n->secp, .network = n->network, .key_seed = seeds[i]};
        struct mr_client c;

        mr_client_init(&c, &o);
        nodes[i] = (struct mr_listed_node){.id = c.key.pub, .trusted = true};
        mr_client_close(&c);
    }
    assert_int_equal(mr_runtime_set_nodes(n->runtime, nodes, count), MR_OK);
    for (int i = 0; i < 5000 && metric(n, &mr_dispatcher_metrics_set, "listed_nodes") < count; i++)
        usleep(1000);
}

static void connect_to(struct node *n, struct mr_client *c, uint64_t seed)
{
    struct mr_client_options o = {.secp = n->secp, .network = n->network, .key_seed = seed};

    assert_int_equal(mr_client_open(c, &o, mr_runtime_endpoint(n->runtime), &n->key.pub),
                     MR_CLIENT_MESSAGE);
}

/* Announces t, and answers when it is asked for. */
static void offer(struct mr_client *c, const struct blob_tx *t)
{
    struct mr_writer w = {.p = malloc(t->n + 64), .cap = t->n + 64};
    struct mr_client_message m;
    struct mr_hash_request q;
    struct mr_span item;
    uint8_t type = MR_TX_BLOB, *answer = malloc(t->n + 64);

    assert_int_equal(mr_announce_encode(&w, c->eth_version, &type, &t->n, &t->hash, 1, NULL),
                     MR_OK);
    assert_true(mr_client_send_eth(c, MR_ETH_NEW_POOLED_TRANSACTION_HASHES, mr_writer_span(&w)));
    assert_int_equal(mr_client_expect(c, &m, MR_ETH_GET_POOLED_TRANSACTIONS, 5000),
                     MR_CLIENT_MESSAGE);
    assert_int_equal(mr_hash_request_decode(&q, m.payload), MR_OK);
    assert_int_equal(q.hashes.n, 1);
    assert_memory_equal(mr_items_at(&q.hashes, 0), t->hash.b, 32);
    w.n = 0;
    assert_int_equal(mr_tx_item_put(&w, mr_span(t->raw, t->n)), MR_OK);
    item = mr_writer_span(&w);
    w = mr_writer(answer, t->n + 64);
    assert_int_equal(mr_response_encode(&w, q.request_id, &item, 1), MR_OK);
    assert_true(mr_client_send_eth(c, MR_ETH_POOLED_TRANSACTIONS, mr_writer_span(&w)));
    free((void *)(uintptr_t)item.p);
    free(answer);
}

/* Hears of t, asks for it, and gets it byte by byte. */
static void take(struct mr_client *c, const struct blob_tx *t)
{
    struct mr_client_message m;
    struct mr_announce a;
    struct mr_announce_item heard;
    struct mr_eth_items items;
    struct mr_span item;
    uint8_t room[64];
    struct mr_writer w = mr_writer(room, sizeof room);

    assert_int_equal(mr_client_expect(c, &m, MR_ETH_NEW_POOLED_TRANSACTION_HASHES, 10000),
                     MR_CLIENT_MESSAGE);
    assert_int_equal(mr_announce_decode(&a, c->eth_version, m.payload), MR_OK);
    assert_true(mr_announce_next(&a, &heard));
    assert_int_equal(heard.type, MR_TX_BLOB);
    assert_int_equal(heard.size, t->n);
    assert_true(mr_hash_equal(&heard.hash, &t->hash));
    assert_int_equal(mr_hash_request_encode(&w, 5, &t->hash, 1), MR_OK);
    assert_true(mr_client_send_eth(c, MR_ETH_GET_POOLED_TRANSACTIONS, mr_writer_span(&w)));
    assert_int_equal(mr_client_expect(c, &m, MR_ETH_POOLED_TRANSACTIONS, 10000), MR_CLIENT_MESSAGE);
    assert_int_equal(mr_response_decode(&items, m.payload, 1), MR_OK);
    assert_true(mr_eth_items_next(&items, &item));
    assert_true(item.n > t->n);
    assert_memory_equal(item.p + item.n - t->n, t->raw, t->n);
}

static void good_sidecars_pass_and_bad_ones_reach_nobody(void **state)
{
    struct blob_tx good[MAX], bad[MAX];
    size_t goods = corpus(good, "blob_txs_network_v1");
    size_t bads = corpus(bad, "blob_txs_network_v1_invalid");
    struct mr_client a, b;
    struct node n;

    (void)state;
    if (goods == 0 || bads == 0 || !mr_kzg_available()) {
        print_message("skipped: no corpora, or a build without c-kzg\n");
        skip();
    }
    node_open(&n);
    trust(&n, (const uint64_t[]){1, 100, 101, 102, 103}, 5);
    connect_to(&n, &a, 1);
    connect_to(&n, &b, 2);
    for (size_t i = 0; i < goods; i++) {
        offer(&a, &good[i]);
        take(&b, &good[i]);
    }
    for (size_t i = 0; i < bads; i++) {
        struct mr_client liar;

        connect_to(&n, &liar, 100 + i);
        offer(&liar, &bad[i]);
        assert_int_equal(mr_client_wait_end(&liar, 5000), MR_CLIENT_CLOSED);
        assert_true(liar.disconnected);
        mr_client_close(&liar);
    }
    assert_int_equal(mr_client_sync(&b, 5000), MR_CLIENT_MESSAGE);
    assert_int_equal(metric(&n, &mr_blob_metrics_set, "proof_ok"), goods);
    assert_int_equal(metric(&n, &mr_shard_metrics_set, "blob_ok"), goods);
    assert_int_equal(metric(&n, &mr_shard_metrics_set, "tx_accepted"), goods);
    assert_int_equal(metric(&n, &mr_shard_metrics_set, "blob_bad"), bads);
    /* to b, and to each liar when it came: trusted ones hear the whole pool */
    assert_int_equal(metric(&n, &mr_shard_metrics_set, "announced_out"), goods * (1 + bads));
    mr_client_close(&a);
    mr_client_close(&b);
    node_close(&n);
    corpus_free(good, goods);
    corpus_free(bad, bads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_sidecars_pass_and_bad_ones_reach_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
