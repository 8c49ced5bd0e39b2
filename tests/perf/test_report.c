/* The figures of a run in their forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "perf/load_run.h"
#include "perf/report.h"

static struct mr_load load;
static struct mr_load_options options;

/* A run of 3 peers and 10 transactions in which peer 2 missed one. */
static int set_up(void **state)
{
    char sentence[256];
    uint64_t begin;

    (void)state;
    options = (struct mr_load_options){.network = mr_network_find("mainnet"),
                                       .target_text = "enode://x",
                                       .peers = 3,
                                       .senders = 1,
                                       .rate = 10,
                                       .duration_s = 1};
    if (mr_load_init(&load, &options, sentence, sizeof sentence) != MR_OK)
        fail_msg("%s", sentence);
    begin = load.load_begin_ns = load.connect_begin_ns = load.now.mono_ns;
    load.connect_end_ns = begin + MR_SECOND / 2;
    load.peers_connected = load.peers_at_end = 3;
    mr_load_track_schedule(&load.track, begin, 10);
    load.load_end_ns = begin + MR_SECOND;
    load.finish_ns = begin + 2 * MR_SECOND;
    for (uint32_t i = 0; i < 10; i++) {
        mr_load_track_sent(&load.track, i, load.track.due_ns[i]);
        mr_load_track_body(&load.track, 1, i, false, load.track.due_ns[i] + MR_MS);
        if (i > 0)
            mr_load_track_body(&load.track, 2, i, false, load.track.due_ns[i] + 5 * MR_MS);
    }
    load.before = (struct mr_load_proc){.known = true, .rss_bytes = 1000000};
    load.load_first = (struct mr_load_proc){.known = true, .cpu_s = 1.5, .rss_bytes = 1200000};
    load.after = (struct mr_load_proc){.known = true, .cpu_s = 2.25, .rss_bytes = 1300000};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_load_fini(&load);
    return 0;
}

static double figure(const struct mr_json *j, const char *path)
{
    double v;

    if (!mr_report_figure(&v, j, path))
        fail_msg("no %s", path);
    return v;
}

static void json_has_the_keys_that_were_promised(void **state)
{
    static const char *const keys[] = {"peers_connected",
                                       "handshakes_per_s",
                                       "sent",
                                       "expected",
                                       "delivered",
                                       "lost",
                                       "duplicates_sent_by_relay",
                                       "notice_us.p50",
                                       "notice_us.p90",
                                       "notice_us.p99",
                                       "notice_us.p999",
                                       "notice_us.max",
                                       "body_us.p50",
                                       "body_us.p90",
                                       "body_us.p99",
                                       "body_us.p999",
                                       "body_us.max",
                                       "relay_cpu_s",
                                       "relay_rss_bytes",
                                       "relay_rss_per_peer_bytes",
                                       "bytes_in",
                                       "bytes_out",
                                       "punishable",
                                       "seed"};
    struct mr_json *j = mr_report_json(&load);

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(keys); i++)
        figure(j, keys[i]);
    assert_true(figure(j, "handshakes_per_s") == 6);
    assert_true(figure(j, "expected") == 20);
    assert_true(figure(j, "delivered") == 19);
    assert_true(figure(j, "lost") == 1);
    assert_in_range((uint64_t)figure(j, "body_us.max"), 5000, 5010);
    assert_true(figure(j, "relay_cpu_s") == 0.75);
    assert_true(figure(j, "relay_rss_per_peer_bytes") == 100000);
    mr_json_free(j);
}

static void figures_of_an_unknown_process_are_null(void **state)
{
    struct mr_json *j;
    double v;

    (void)state;
    load.after.known = false;
    j = mr_report_json(&load);
    assert_int_equal(mr_json_kind(mr_json_get(j, "relay_cpu_s")), MR_JSON_NULL);
    assert_false(mr_report_figure(&v, j, "relay_rss_per_peer_bytes"));
    assert_false(mr_report_figure(&v, j, "body_us"));
    assert_false(mr_report_figure(&v, j, "body_us."));
    assert_false(mr_report_figure(&v, j, ".p99"));
    assert_false(mr_report_figure(&v, j, "lost.p99"));
    mr_json_free(j);
}

/* How many failures mr_report_judge finds, and its lines. */
static unsigned judged(char *text, size_t cap)
{
    struct mr_json *j = mr_report_json(&load);
    FILE *f = fmemopen(text, cap, "w");
    unsigned n = mr_report_judge(f, &options, j);

    fclose(f);
    mr_json_free(j);
    return n;
}

static void what_fails_a_run_is_said(void **state)
{
    char text[1024] = "";

    (void)state;
    assert_int_equal(judged(text, sizeof text), 1);
    assert_string_equal(text, "FAILED: 1 deliveries lost\n");
    mr_load_track_body(&load.track, 2, 0, false, load.now.mono_ns);
    assert_int_equal(judged(text, sizeof text), 0);

    mr_load_track_body(&load.track, 2, 0, false, load.now.mono_ns);
    load.peers_at_end = 2;
    assert_int_equal(judged(text, sizeof text), 2);
    assert_non_null(strstr(text, "FAILED: 1 connections ended during the load\n"));
    assert_non_null(strstr(text, "FAILED: 1 duplicates\n"));
    load.peers_connected = 2;
    assert_true(judged(text, sizeof text) >= 2);
    assert_non_null(strstr(text, "FAILED: 2 of 3 peers connected\n"));
    mr_strict_fault(load.strict, &load.peers[0].strict, MR_STRICT_TRANSPORT);
    judged(text, sizeof text);
    assert_non_null(strstr(text, "FAILED: 1 messages for which peers would have left\n"));
}

static void assertions_are_upper_bounds(void **state)
{
    char text[1024] = "";

    (void)state;
    mr_load_track_body(&load.track, 2, 0, false, load.now.mono_ns);
    options.asserts_count = 3;
    options.asserts[0] = (struct mr_load_assert){"delivered", 20};
    options.asserts[1] = (struct mr_load_assert){"delivered", 19.5};
    options.asserts[2] = (struct mr_load_assert){"nothing", 1};
    assert_int_equal(judged(text, sizeof text), 2);
    assert_string_equal(text, "FAILED: delivered is 20, over 19.5\n"
                              "FAILED: --assert nothing: no such figure\n");
}

static void the_text_shows_the_table(void **state)
{
    char text[4096] = "";
    struct mr_json *j = mr_report_json(&load);
    FILE *f = fmemopen(text, sizeof text, "w");

    (void)state;
    mr_report_text(f, &load, j);
    fclose(f);
    mr_json_free(j);
    assert_non_null(strstr(text, "peers connected       3 of 3"));
    assert_non_null(strstr(text, "delivered             19 of 20"));
    assert_non_null(strstr(text, "body held"));
    assert_non_null(strstr(text, "0.75 s in 2.0 s of load (38% of a core)"));
}

static char *slurp(const char *path)
{
    char *text = calloc(1, 65536);
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    assert_true(fread(text, 1, 65535, f) > 0);
    fclose(f);
    unlink(path);
    return text;
}

static void files_are_written_side_by_side(void **state)
{
    const struct mr_report_curve curves[] = {{"body <&>", &load.track.body, "#c00"},
                                             {"notice", &load.track.notice, "#00c"}};
    char folder[] = "/tmp/report.XXXXXX", path[64];
    char *text;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/x.y.hgrm", folder);
    assert_int_equal(mr_report_hgrm(&load, path), MR_OK);
    text = slurp(path);
    assert_non_null(strstr(text, "1/(1-Percentile)"));
    free(text);
    snprintf(path, sizeof path, "%s/x.y.hlog", folder);
    text = slurp(path);
    assert_non_null(strstr(text, "Tag=body_us,"));
    assert_non_null(strstr(text, "Tag=notice_us,"));
    free(text);
    snprintf(path, sizeof path, "%s/x.svg", folder);
    assert_int_equal(mr_report_svg(path, "a < b", curves, 2), MR_OK);
    text = slurp(path);
    assert_non_null(strstr(text, "a &lt; b"));
    assert_non_null(strstr(text, "body &lt;&amp;>"));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    free(text);
    rmdir(folder);
    assert_int_equal(mr_report_svg("/nowhere/x.svg", "", curves, 2), MR_SYSTEM);
    assert_int_equal(mr_report_hgrm(&load, "/nowhere/x"), MR_SYSTEM);
}

static void an_empty_run_makes_a_picture_too(void **state)
{
    const struct mr_report_curve curve = {"body", &load.track.body, "#c00"};
    char path[] = "/tmp/report.XXXXXX";
    char *text;
    int fd;

    (void)state;
    mr_histogram_reset(&load.track.body);
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(mr_report_svg(path, "", &curve, 1), MR_OK);
    text = slurp(path);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "<polyline"));
    free(text);
}

int main(void)
{
#define WITH_RUN(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_RUN(json_has_the_keys_that_were_promised),
        WITH_RUN(figures_of_an_unknown_process_are_null),
        WITH_RUN(what_fails_a_run_is_said),
        WITH_RUN(assertions_are_upper_bounds),
        WITH_RUN(the_text_shows_the_table),
        WITH_RUN(files_are_written_side_by_side),
        WITH_RUN(an_empty_run_makes_a_picture_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
