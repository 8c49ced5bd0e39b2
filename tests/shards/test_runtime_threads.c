/* A whole relay in this process: dispatcher, shards and their threads, met over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shards/runtime.h"
#include "tests/support/bare_relay.h" /* samples */

struct node {
    struct mr_relay_options options;
    struct mr_secp *secp;
    struct mr_secp_keypair key;
    struct mr_runtime_setup setup;
    struct mr_runtime *runtime;
    struct mr_endpoint at;
};

static void node_init(struct node *n, unsigned shards)
{
    uint8_t seed[32] = {5};

    memset(n, 0, sizeof *n);
    mr_relay_options_tiny(&n->options);
    n->options.shards = shards;
    n->secp = mr_secp_create(seed);
    mr_secp_keypair_make(n->secp, &n->key, mr_entropy_system, NULL);
    n->setup = (struct mr_runtime_setup){.options = &n->options,
                                         .network = mr_network_find("mainnet"),
                                         .secp = n->secp,
                                         .self = &n->key,
                                         .listen = {.ip = LOOPBACK},
                                         .client = "millrace/test",
                                         .pin = true};
}

static void node_new(struct node *n)
{
    char why[256];

    n->runtime = mr_runtime_new(&n->setup, why, sizeof why);
    if (!n->runtime)
        fail_msg("%s", why);
    n->at = mr_runtime_endpoint(n->runtime);
    assert_int_equal(n->at.ip, LOOPBACK);
    assert_int_not_equal(n->at.port, 0);
}

static void node_start(struct node *n)
{
    char why[256];

    if (!mr_runtime_start(n->runtime, why, sizeof why))
        fail_msg("%s", why);
}

static void node_end(struct node *n)
{
    assert_true(mr_runtime_stop(n->runtime, MR_REASON_QUITTING));
    assert_int_equal(mr_runtime_metric(n->runtime, &mr_worker_metrics_set, "worker_open"), 0);
    mr_runtime_free(n->runtime);
    mr_secp_destroy(n->secp);
}

static void client_open(struct node *n, struct mr_client *c, uint64_t seed)
{
    struct mr_client_options o = {.secp = n->secp, .network = n->setup.network, .key_seed = seed};
    enum mr_client_got g = mr_client_open(c, &o, n->at, &n->key.pub);

    if (g != MR_CLIENT_MESSAGE)
        fail_msg("%s (%s), reason %u", mr_client_got_text(g), c->why, c->reason);
    assert_string_equal(c->remote_client, "millrace/test");
}

static void sample_for(struct sample *s, const struct node *n, uint64_t seed)
{
    struct relay r = {.secp = n->secp, .network = n->setup.network};

    sample_make(s, &r, seed, 0);
}

static bool say(struct mr_client *c, const struct sample *s)
{
    return mr_client_send_transactions(c, &(struct mr_span){s->raw, s->n}, 1);
}

static void await(struct node *n, const struct mr_metric_set *set, const char *metric, uint64_t v)
{
    for (int i = 0; i < 5000 && mr_runtime_metric(n->runtime, set, metric) < v; i++)
        usleep(1000);
    assert_true(mr_runtime_metric(n->runtime, set, metric) >= v);
}

static void a_transaction_goes_from_one_to_all(unsigned shards)
{
    struct mr_client c[4];
    uint64_t verdicts[MR_TX_VERDICTS];
    struct node n;
    struct sample s;

    node_init(&n, shards);
    node_new(&n);
    node_start(&n);
    assert_int_equal(mr_runtime_shards(n.runtime), shards);
    for (uint64_t i = 0; i < 4; i++)
        client_open(&n, &c[i], i + 1);
    await(&n, &mr_shard_metrics_set, "peers", 4);
    for (uint64_t k = 0; k < 4; k++) {
        sample_for(&s, &n, k);
        assert_true(say(&c[k], &s));
        for (uint64_t i = 0; i < 4; i++)
            if (i != k)
                assert_true(sample_arrives(&c[i], &s, 5000));
    }
    mr_runtime_verdicts(n.runtime, verdicts);
    assert_int_equal(mr_runtime_metric(n.runtime, &mr_shard_metrics_set, "tx_accepted"), 4);
    assert_true(verdicts[MR_TX_VERDICT_OK] >= 4);
    for (uint64_t i = 0; i < 4; i++)
        mr_client_close(&c[i]);
    node_end(&n);
}

static void one_shard_relays(void **state)
{
    (void)state;
    a_transaction_goes_from_one_to_all(1);
}

static void three_shards_relay(void **state)
{
    (void)state;
    a_transaction_goes_from_one_to_all(3);
}

/* client -> first -> second -> client; the first dials the second. */
static void two_relays_pass_it_on(void **state)
{
    struct mr_listed_node second_node = {.is_static = true};
    struct node first, second;
    struct mr_client a, b;
    struct sample s;

    (void)state;
    node_init(&first, 1);
    node_init(&second, 2);
    node_new(&first);
    node_new(&second);
    second_node.id = second.key.pub;
    second_node.at = second.at;
    assert_int_equal(mr_runtime_set_nodes(first.runtime, &second_node, 1), MR_OK);
    node_start(&second);
    node_start(&first);
    await(&first, &mr_shard_metrics_set, "peers", 1);
    await(&second, &mr_shard_metrics_set, "peers", 1);
    client_open(&first, &a, 1);
    client_open(&second, &b, 2);
    sample_for(&s, &first, 1);
    assert_true(say(&a, &s));
    assert_true(sample_arrives(&b, &s, 5000));
    mr_client_close(&a);
    mr_client_close(&b);
    node_end(&first);
    node_end(&second);
}

/* Peers, one in the middle of its handshake, one that only connected. */
static void stop_says_goodbye_within_two_seconds(void **state)
{
    struct mr_client c[8], halfway = {0}, silent = {0};
    struct mr_client_options o = {0};
    uint64_t begun;
    struct node n;

    (void)state;
    node_init(&n, 2);
    node_new(&n);
    node_start(&n);
    for (uint64_t i = 0; i < 8; i++)
        client_open(&n, &c[i], i + 1);
    o = c[0].options;
    o.key_seed = 100;
    mr_client_init(&halfway, &o);
    assert_int_equal(mr_client_connect(&halfway, n.at, 0), MR_CLIENT_MESSAGE);
    assert_int_equal(mr_client_initiate(&halfway, &n.key.pub), MR_CLIENT_MESSAGE);
    o.key_seed = 101;
    mr_client_init(&silent, &o);
    assert_int_equal(mr_client_connect(&silent, n.at, 0), MR_CLIENT_MESSAGE);
    begun = mr_clock_now().mono_ns;
    node_end(&n); /* nobody closes: the relay does not wait for it */
    assert_true(mr_clock_now().mono_ns - begun < 2 * MR_SECOND);
    for (uint64_t i = 0; i < 8; i++) {
        assert_int_equal(mr_client_wait_end(&c[i], 1000), MR_CLIENT_CLOSED);
        assert_true(c[i].disconnected);
        assert_int_equal(c[i].reason, MR_REASON_QUITTING);
        mr_client_close(&c[i]);
    }
    mr_client_close(&halfway);
    mr_client_close(&silent);
}

static void a_port_in_use_is_one_sentence(void **state)
{
    struct node n, other;
    char why[256] = "";

    (void)state;
    node_init(&n, 1);
    node_new(&n);
    node_init(&other, 1);
    other.setup.listen = n.at;
    assert_null(mr_runtime_new(&other.setup, why, sizeof why));
    assert_non_null(strstr(why, "127.0.0.1"));
    mr_runtime_free(n.runtime); /* never started */
    mr_secp_destroy(n.secp);
    mr_secp_destroy(other.secp);
}

static void bad_options_are_one_sentence(void **state)
{
    struct node n;
    char why[256] = "";

    (void)state;
    node_init(&n, MR_SHARDS_MAX + 1);
    assert_null(mr_runtime_new(&n.setup, why, sizeof why));
    assert_non_null(strstr(why, "--shards"));
    mr_secp_destroy(n.secp);
}

static void sessions_come_and_go(void **state)
{
    struct node n;

    (void)state;
    node_init(&n, 2);
    n.options.inbound_throttle_ns = 0;
    node_new(&n);
    node_start(&n);
    for (uint64_t i = 0; i < 60; i++) {
        struct mr_client c;

        client_open(&n, &c, i + 1);
        if (i % 3 == 0)
            mr_client_abort(&c);
        else
            mr_client_close(&c);
    }
    await(&n, &mr_dispatcher_metrics_set, "sessions_ended", 60);
    await(&n, &mr_worker_metrics_set, "worker_closed", 60);
    assert_int_equal(mr_runtime_metric(n.runtime, &mr_dispatcher_metrics_set, "sessions"), 0);
    node_end(&n);
}

static void there_is_at_least_one_shard(void **state)
{
    (void)state;
    assert_true(mr_runtime_default_shards() >= 1);
    assert_true(mr_runtime_default_shards() <= MR_SHARDS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_shard_relays),
        cmocka_unit_test(three_shards_relay),
        cmocka_unit_test(two_relays_pass_it_on),
        cmocka_unit_test(stop_says_goodbye_within_two_seconds),
        cmocka_unit_test(a_port_in_use_is_one_sentence),
        cmocka_unit_test(bad_options_are_one_sentence),
        cmocka_unit_test(sessions_come_and_go),
        cmocka_unit_test(there_is_at_least_one_shard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
