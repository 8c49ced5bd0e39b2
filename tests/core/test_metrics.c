#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdlib.h>

#include "core/json.h"
#include "core/metrics.h"

#define TOY_METRICS(X)                                                                             \
    X(tx_duplicate, "transactions known already")                                                  \
    X(peers_count, "sessions now", GAUGE)                                                          \
    X(turn_max_us, "longest turn", PEAK)                                                           \
    X(tx_new, "transactions not seen before", COUNTER)

MR_METRICS_DECLARE(toy_metrics, TOY_METRICS)
MR_METRICS_DEFINE(toy_metrics, TOY_METRICS)

static void the_table_describes_the_struct(void **state)
{
    const struct mr_metric *m;

    (void)state;
    assert_string_equal(toy_metrics_set.name, "toy_metrics");
    assert_int_equal(toy_metrics_set.count, 4);
    assert_int_equal(toy_metrics_set.size, sizeof(struct toy_metrics));
    m = mr_metric_find(&toy_metrics_set, "turn_max_us");
    assert_non_null(m);
    assert_int_equal(m->kind, MR_METRIC_PEAK);
    assert_int_equal(m->offset, offsetof(struct toy_metrics, turn_max_us));
    assert_string_equal(m->help, "longest turn");
    assert_int_equal(mr_metric_find(&toy_metrics_set, "tx_duplicate")->kind, MR_METRIC_COUNTER);
    assert_int_equal(mr_metric_find(&toy_metrics_set, "tx_new")->kind, MR_METRIC_COUNTER);
    assert_int_equal(mr_metric_find(&toy_metrics_set, "peers_count")->kind, MR_METRIC_GAUGE);
    assert_null(mr_metric_find(&toy_metrics_set, "tx"));
}

static void counters_and_gauges_add_up_and_peaks_compete(void **state)
{
    struct toy_metrics a = {0}, b = {0}, sum;
    const void *both[] = {&a, &b};

    (void)state;
    MR_COUNT(a.tx_duplicate, 3);
    MR_COUNT(b.tx_duplicate, 4);
    MR_COUNT(b.tx_duplicate, 1);
    MR_GAUGE_SET(a.peers_count, 10);
    MR_GAUGE_ADD(b.peers_count, 5);
    MR_GAUGE_SUB(b.peers_count, 2);
    MR_PEAK(a.turn_max_us, 70);
    MR_PEAK(a.turn_max_us, 20);
    MR_PEAK(b.turn_max_us, 50);
    mr_metrics_sum(&toy_metrics_set, &sum, both, 2);
    assert_int_equal(sum.tx_duplicate, 8);
    assert_int_equal(sum.peers_count, 13);
    assert_int_equal(sum.turn_max_us, 70);
    assert_int_equal(sum.tx_new, 0);
    mr_metrics_sum(&toy_metrics_set, &sum, both, 0);
    assert_int_equal(sum.tx_duplicate, 0);
}

static void json_has_every_metric_in_the_order_of_the_list(void **state)
{
    struct toy_metrics a = {.tx_duplicate = 1, .peers_count = 2, .turn_max_us = 3, .tx_new = 4};
    struct mr_json *j = mr_json_new_object();
    char *text;

    (void)state;
    mr_metrics_json(&toy_metrics_set, j, &a);
    text = mr_json_dump(j, NULL);
    assert_string_equal(text,
                        "{\"tx_duplicate\":1,\"peers_count\":2,\"turn_max_us\":3,\"tx_new\":4}");
    free(text);
    mr_json_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_describes_the_struct),
        cmocka_unit_test(counters_and_gauges_add_up_and_peaks_compete),
        cmocka_unit_test(json_has_every_metric_in_the_order_of_the_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
