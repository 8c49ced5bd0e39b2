/* What an operator sees from start to end: the enode URL, the summary, signals, the datadir. */
#include "tests/system/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* With one shard and with three at the same time: the summary takes ten seconds. */
static void says_enode_and_summary_and_ends_with_disconnect_8(void **state)
{
    int64_t started = process_now_ms();
    struct process p[2];
    struct mr_client a[2], b[2];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        process_start(&p[i], ARGS("--shards", i == 0 ? "1" : "3"), NULL);
        peer_open(&a[i], &p[i], 1);
        peer_open(&b[i], &p[i], 2);
    }
    for (unsigned i = 0; i < 2; i++) {
        process_await_text(&p[i], "peers=2", (int)(started + 13000 - process_now_ms()));
        process_signal(&p[i], SIGTERM);
        peer_expect_end(&a[i], MR_REASON_QUITTING, 2000);
        peer_expect_end(&b[i], MR_REASON_QUITTING, 2000);
        process_stop(&p[i]);
        mr_client_close(&a[i]);
        mr_client_close(&b[i]);
    }
}

static void ends_in_two_seconds_although_nobody_reads(void **state)
{
    struct process p;
    struct mr_client peers[8];
    struct sample s;

    process_start(&p, ARGS("--shards", *state), NULL);
    for (unsigned i = 0; i < 8; i++)
        peer_open(&peers[i], &p, 10 + i);
    for (unsigned i = 0; i < 64; i++) { /* 8 MiB, of which 7 peers could each want their part */
        sample_make(&s, 100 + i, 0, 120000);
        sample_send(&peers[0], &s);
        sample_free(&s);
    }
    process_stop(&p);
    for (unsigned i = 0; i < 8; i++)
        mr_client_close(&peers[i]);
}

static void sigint_is_an_end_too(void **state)
{
    struct process p;

    process_start(&p, ARGS("--shards", *state), NULL);
    process_signal(&p, SIGINT);
    assert_true(process_wait(&p, 2000));
    assert_int_equal(p.code, 0);
    process_kill(&p);
}

static void a_second_start_on_the_datadir_is_refused(void **state)
{
    struct process first, again;
    char data[96];

    (void)state;
    process_start(&first, ARGS(NULL), NULL);
    snprintf(data, sizeof data, "%s/data", first.dir);
    process_refuses(ARGS("--datadir", data), NULL, ARGS("another millrace", data));
    process_alive(&first);
    /* and once it is gone, however it went, the next one may */
    process_signal(&first, SIGKILL);
    assert_true(process_wait(&first, 5000));
    process_start(&again, ARGS("--datadir", data), NULL);
    assert_memory_equal(again.id.b, first.id.b, sizeof first.id.b);
    process_stop(&again);
    process_kill(&first);
}

static void the_key_is_made_once_and_for_its_owner_only(void **state)
{
    struct process p;
    struct process_options o = {0};
    struct mr_node_id id;
    char dir[64], path[96];
    struct stat st;

    (void)state;
    process_make_dir(dir);
    o.dir = dir;
    umask(0);
    process_start(&p, ARGS(NULL), &o);
    snprintf(path, sizeof path, "%s/data/nodekey", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    snprintf(path, sizeof path, "%s/data", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    id = p.id;
    process_stop(&p);
    process_start(&p, ARGS(NULL), &o);
    assert_memory_equal(p.id.b, id.b, sizeof id.b);
    process_stop(&p);
    process_remove_dir(dir);
}

static void hup_reads_the_lists_again_and_reopens_the_log(void **state)
{
    char dir[64], nodes[96], trusted[96], at_nodes[112], at_trusted[112], log[96], moved[96];
    char url[MR_ENODE_TEXT_MAX], line[MR_ENODE_TEXT_MAX + 64];
    struct mr_endpoint at;
    int listener = peer_listen(&at, url, 5);
    struct process p;
    struct mr_client c, t;

    process_make_dir(dir);
    snprintf(nodes, sizeof nodes, "%s/static", dir);
    snprintf(trusted, sizeof trusted, "%s/trusted", dir);
    snprintf(log, sizeof log, "%s/log", dir);
    snprintf(moved, sizeof moved, "%s/log.1", dir);
    snprintf(at_nodes, sizeof at_nodes, "@%s", nodes);
    snprintf(at_trusted, sizeof at_trusted, "@%s", trusted);
    process_write_file(nodes, "# nobody yet\n", 0600);
    process_write_file(trusted, "", 0600);
    process_start(&p,
                  ARGS("--static", at_nodes, "--trusted", at_trusted, "--log.file", log,
                       "--maxpeers", "0", "--shards", *state),
                  NULL);
    assert_int_equal(rename(log, moved), 0);
    snprintf(line, sizeof line, "%s   \r\n\n# and no more\n", url);
    process_write_file(nodes, line, 0600);
    process_signal(&p, SIGHUP);
    peer_accept(&c, listener, 5, 5000);
    assert_int_equal(access(log, F_OK), 0);
    process_await_equal(&p, "listed_nodes", 1, 3000);

    /* a broken file changes nothing, and says so in the log */
    process_write_file(nodes, "enode://1234@127.0.0.1:1\n", 0600);
    process_signal(&p, SIGHUP);
    process_sleep_ms(1200);
    assert_int_equal(process_stat_now(&p, "listed_nodes"), 1);
    assert_int_equal(mr_client_sync(&c, 2000), MR_CLIENT_MESSAGE);

    /* a node that becomes trusted may come in although there is room for nobody */
    assert_int_equal(peer_try(&t, &p, 6), MR_CLIENT_CLOSED);
    assert_int_equal(t.reason, MR_REASON_TOO_MANY_PEERS);
    mr_client_close(&t);
    process_write_file(nodes, line, 0600);
    close(peer_listen(&at, url, 6));
    process_write_file(trusted, url, 0600);
    process_signal(&p, SIGHUP);
    process_await_equal(&p, "listed_nodes", 2, 3000);
    peer_open(&t, &p, 6);
    mr_client_close(&t);
    mr_client_close(&c);
    close(listener);
    process_stop(&p);
    process_remove_dir(dir);
}

static void hups_in_a_row_do_no_harm(void **state)
{
    struct process p;
    struct mr_client c;

    process_start(&p, ARGS("--shards", *state), NULL);
    peer_open(&c, &p, 1);
    for (unsigned i = 0; i < 200; i++)
        process_signal(&p, SIGHUP);
    process_signal(&p, SIGPIPE);
    assert_int_equal(mr_client_sync(&c, 2000), MR_CLIENT_MESSAGE);
    process_alive(&p);
    mr_client_close(&c);
    process_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_enode_and_summary_and_ends_with_disconnect_8),
        BOTH(ends_in_two_seconds_although_nobody_reads),
        BOTH(sigint_is_an_end_too),
        cmocka_unit_test(a_second_start_on_the_datadir_is_refused),
        cmocka_unit_test(the_key_is_made_once_and_for_its_owner_only),
        BOTH(hup_reads_the_lists_again_and_reopens_the_log),
        BOTH(hups_in_a_row_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
