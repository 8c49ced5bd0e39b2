/* F-16: what is logged, or cannot be, decides nothing: hostile peers of many kinds at the most
 * silent level and at the most talkative one, with a sink that is full, gone, or not emptied. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json.h"
#include "tests/attacks/crowd.h"

/* One way in which a peer may be hostile; each makes the relay say something at some level. */
static void be_hostile(const struct process *p, unsigned i)
{
    struct mr_client_options o = peer_options(1000 + i);
    unsigned how = i % 10;
    struct mr_client c;

    o.name = "\x1b[2J%n%s\n\"=\xff";
    mr_client_init(&c, &o);
    assert_int_equal(mr_client_connect(&c, p->at, 0), MR_CLIENT_MESSAGE);
    if (how > 0)
        assert_int_equal(mr_client_initiate(&c, &p->id), MR_CLIENT_MESSAGE);
    if (how > 1)
        assert_int_equal(mr_client_hello(&c), MR_CLIENT_MESSAGE);
    if (how > 2)
        assert_int_equal(mr_client_status(&c), MR_CLIENT_MESSAGE);
    if (how < 4) /* in each state */
        mr_client_send_raw(&c, "not a frame, but 32 bytes or more", 33);
    if (how == 4) /* no such message, or a malformed one */
        mr_client_send_wire(&c, (uint16_t)(16 + i), mr_span("\xc1\xff", 2));
    if (how == 5)
        mr_client_send_base(&c, MR_BASE_DISCONNECT, mr_span("\xc1\x7f", 2));
    if (how == 6) /* an answer to nothing */
        mr_client_send_eth(&c, MR_ETH_POOLED_TRANSACTIONS, mr_span("\xc2\x07\xc0", 3));
    if (how == 7) /* an announcement of another shape */
        mr_client_send_eth(&c, MR_ETH_NEW_POOLED_TRANSACTION_HASHES,
                           mr_span("\xc4\x01\xc1\x05\xc0", 5));
    if (how == 8) /* a claim of 4 GiB */
        mr_client_send_frame_data(&c, mr_span("\x12\xff\xff\xff\xff\x0f", 6));
    if (how == 9) /* a second Hello */
        mr_client_send_base(&c, MR_BASE_HELLO, mr_span("\xc0", 1));
    if (how > 3)
        mr_client_wait_end(&c, 20);
    mr_client_close(&c);
}

enum sink { FULL, CLOSED, SLOW };

static uint64_t lines_failed(struct process *p)
{
    uint64_t n = 0;

    process_stat_now(p, "peers");
    assert_int_equal(
        mr_json_u64(mr_json_get(mr_json_get(p->last, "process"), "log_lines_failed"), &n), MR_OK);
    return n;
}

static void hostile_peers_and_a_log(const char *shards, const char *level, enum sink sink)
{
    char dir[64], path[96], some[64];
    struct process p;
    struct crowd crowd;
    int reader = -1;

    process_make_dir(dir);
    snprintf(path, sizeof path, "%s/log", dir);
    if (sink != FULL) {
        assert_int_equal(mkfifo(path, 0600), 0);
        reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        assert_true(reader >= 0 && fcntl(reader, F_SETPIPE_SZ, 4096) == 4096);
    }
    process_start(&p,
                  ARGS("--verbosity", level, "--log.file", sink == FULL ? "/dev/full" : path,
                       "--handshake-budget", "100", "--shards", shards),
                  NULL);
    if (sink == CLOSED)
        close(reader);
    crowd_open(&crowd, &p, 5, 1, IP(1, 0, 1), 0);
    for (unsigned i = 0; i < 60; i++) {
        be_hostile(&p, i);
        if (sink == SLOW && i % 4 == 0) /* a line is longer */
            (void)!read(reader, some, sizeof some);
        crowd_send(&crowd, i % crowd.n, 50);
        crowd_pump(&crowd, 5);
    }
    crowd_expect_unharmed(&crowd, 1000);
    if (sink != SLOW)
        assert_int_equal(lines_failed(&p) > 0, level[0] > '0');
    crowd_close(&crowd);
    process_stop(&p);
    if (sink == SLOW)
        close(reader);
    process_remove_dir(dir);
}

static void a_log_that_cannot_be_written_harms_nobody(void **state)
{
    for (enum sink sink = FULL; sink <= SLOW; sink++)
        hostile_peers_and_a_log(*state, "5", sink);
    hostile_peers_and_a_log(*state, "0", CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_log_that_cannot_be_written_harms_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
