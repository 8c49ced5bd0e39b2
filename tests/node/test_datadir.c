#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/datadir.h"
#include "node/stats.h"

struct world {
    char dir[64];
    struct mr_secp *secp;
};

static int setup(void **state)
{
    static struct world w;
    const uint8_t seed[32] = {4};

    snprintf(w.dir, sizeof w.dir, "/tmp/millrace-dir-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    w.secp = mr_secp_create(seed);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[128];

    mr_secp_destroy(w->secp);
    snprintf(command, sizeof command, "rm -rf %s", w->dir);
    return system(command);
}

static void the_key_is_made_once_and_only_its_owner_reads_it(void **state)
{
    struct world *w = *state;
    uint8_t a[32], b[32];
    char error[512], path[128];
    struct stat st;

    assert_true(mr_node_key_open(a, w->secp, w->dir, error, sizeof error));
    assert_true(mr_node_key_open(b, w->secp, w->dir, error, sizeof error));
    assert_memory_equal(a, b, 32);
    snprintf(path, sizeof path, "%s/nodekey", w->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_false(mr_node_key_create(b, w->secp, path, error, sizeof error)); /* never replaced */
}

#define GOOD "4646464646464646464646464646464646464646464646464646464646464646"

static void keys_that_are_none_or_that_others_read_are_refused(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *says;
    } rows[] = {
        {GOOD, 0640, "chmod 600"},
        {GOOD, 0604, "chmod 600"},
        {"46464646464646464646464646464646464646464646464646464646464646", 0600, "private key"},
        {GOOD "46", 0600, "private key"},
        {"0000000000000000000000000000000000000000000000000000000000000000", 0600, "private key"},
        {"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 0600, "private key"},
        {"zz46464646464646464646464646464646464646464646464646464646464646", 0600, "private key"},
        {"", 0600, "private key"},
    };
    struct world *w = *state;
    char error[512], path[128];
    uint8_t key[32];

    for (size_t i = 0; i < MR_COUNT_OF(rows); i++) {
        FILE *f;

        snprintf(path, sizeof path, "%s/key%zu", w->dir, i);
        f = fopen(path, "w");
        fputs(rows[i].text, f);
        fclose(f);
        chmod(path, rows[i].mode);
        assert_false(mr_node_key_load(key, w->secp, path, error, sizeof error));
        assert_non_null(strstr(error, rows[i].says));
        assert_non_null(strstr(error, path));
    }
    assert_false(mr_node_key_load(key, w->secp, "/nonexistent/key", error, sizeof error));
    assert_non_null(strstr(error, "/nonexistent/key"));
}

static void a_second_start_on_a_datadir_is_refused(void **state)
{
    struct world *w = *state;
    char error[5000], path[MR_PATH_MAX], deep[128];

    snprintf(deep, sizeof deep, "%s/a/b", w->dir);
    assert_true(mr_datadir_open(path, deep, error, sizeof error));
    assert_true(mr_datadir_lock(path, error, sizeof error));
    assert_false(mr_datadir_lock(path, error, sizeof error));
    assert_non_null(strstr(error, path));
    assert_false(mr_datadir_open(path, "/proc/nothing", error, sizeof error));
}

static void statistics_are_written_whole(void **state)
{
    const char *const names[] = {"one", "two"};
    const uint64_t values[] = {1, 2};
    struct mr_stats_group group = {"verdicts", names, values, 2};
    const struct mr_histogram_options micros = {.highest = 1000000, .digits = 2};
    struct mr_histogram a, b;
    const struct mr_runtime_histogram rows[] = {
        {.name = "turn_us", .instances = {&a, &b}, .count = 2}};
    const struct mr_stats all = {
        .groups = &group, .groups_count = 1, .histograms = rows, .histograms_count = 1};
    struct world *w = *state;
    char path[128], text[512] = "";
    FILE *f;

    snprintf(path, sizeof path, "%s/stats.json", w->dir);
    assert_int_equal(mr_histogram_init(&a, &micros), MR_OK);
    assert_int_equal(mr_histogram_init(&b, &micros), MR_OK);
    mr_histogram_record_n(&a, 7, 9);
    mr_histogram_record(&b, 90);
    assert_true(mr_stats_write(path, &all));
    f = fopen(path, "r");
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    assert_non_null(strstr(text, "\"verdicts\":{\"one\":1,\"two\":2}"));
    assert_non_null(strstr(text, "\"turn_us\":{\"count\":10,\"min\":7,\"mean\":15,\"p50\":7,"
                                 "\"p90\":7,\"p99\":90,\"p999\":90,\"max\":90}"));
    assert_false(mr_stats_write("/nonexistent/stats", &all));
    mr_histogram_fini(&a);
    mr_histogram_fini(&b);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_key_is_made_once_and_only_its_owner_reads_it),
        CASE(keys_that_are_none_or_that_others_read_are_refused),
        CASE(a_second_start_on_a_datadir_is_refused),
        CASE(statistics_are_written_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
