#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "net/rlpx/capability.h"

/* The ten capabilities of the exhaustive test: bit i of a subset is row i. */
static const struct {
    const char *name;
    uint64_t version;
    uint16_t ids;
} all[] = {
    {"eth", 66, 17}, {"eth", 67, 17}, {"eth", 68, 17}, {"eth", 69, 18}, {"eth", 70, 18},
    {"eth", 71, 20}, {"eth", 72, 22}, {"snap", 1, 8},  {"snap", 2, 10}, {"unknown", 1, 5},
};
#define ALL     MR_COUNT_OF(all)
#define SUBSETS (1u << ALL)

static struct mr_capability capability(const char *name, uint64_t version)
{
    struct mr_capability c;

    assert_true(mr_capability_make(&c, mr_span(name, strlen(name)), version));
    return c;
}

static size_t subset_of_ours(struct mr_protocol *out, unsigned bits)
{
    size_t n = 0;

    for (unsigned i = 0; i < ALL; i++) {
        if (bits >> i & 1)
            out[n++] = (struct mr_protocol){capability(all[i].name, all[i].version), all[i].ids};
    }
    return n;
}

/* Theirs come in the opposite order: none is promised. */
static size_t subset_of_theirs(struct mr_capability *out, unsigned bits)
{
    size_t n = 0;

    for (unsigned i = ALL; i-- > 0;) {
        if (bits >> i & 1)
            out[n++] = capability(all[i].name, all[i].version);
    }
    return n;
}

/* What the session must speak when both have `bits`: the highest of each of the three names. */
static unsigned naive_match(uint8_t rows[3], unsigned bits)
{
    unsigned n = 0;

    for (unsigned i = 7; i-- > 0;) {
        if (bits >> i & 1) {
            rows[n++] = (uint8_t)i;
            break;
        }
    }
    if (bits >> 8 & 1)
        rows[n++] = 8;
    else if (bits >> 7 & 1)
        rows[n++] = 7;
    if (bits >> 9 & 1)
        rows[n++] = 9;
    return n;
}

static void every_pair_of_subsets_matches_as_the_naive_model_says(void **state)
{
    static struct mr_protocol ours[SUBSETS][ALL];
    static struct mr_capability theirs[SUBSETS][ALL];
    static size_t ours_n[SUBSETS], theirs_n[SUBSETS];

    (void)state;
    for (unsigned s = 0; s < SUBSETS; s++) {
        ours_n[s] = subset_of_ours(ours[s], s);
        theirs_n[s] = subset_of_theirs(theirs[s], s);
    }
    for (unsigned a = 0; a < SUBSETS; a++) {
        for (unsigned b = 0; b < SUBSETS; b++) {
            struct mr_capabilities c = {.end_id = 7};
            enum mr_err e = mr_capabilities_match(&c, ours[a], ours_n[a], theirs[b], theirs_n[b]);
            uint8_t rows[3];
            unsigned n = naive_match(rows, a & b), next = 16;

            if (n == 0 ? e != MR_NOT_FOUND || c.end_id != 7 : e != MR_OK || c.count != n)
                fail_msg("subsets %x and %x: %s, %u shared", a, b, mr_err_name(e), c.count);
            for (unsigned i = 0; i < n; i++) {
                const struct mr_capability_shared *s = &c.shared[i];

                if (strncmp(s->capability.name, all[rows[i]].name, 8) != 0 ||
                    s->capability.version != all[rows[i]].version || s->first_id != next ||
                    s->ids_count != all[rows[i]].ids)
                    fail_msg("subsets %x and %x: entry %u", a, b, i);
                next += all[rows[i]].ids;
            }
            if (n > 0 && c.end_id != next)
                fail_msg("subsets %x and %x: ends at %u", a, b, c.end_id);
        }
    }
}

/* F-06: exactly the ids of the shared capabilities exist. */
static void check_ids(const struct mr_capabilities *c)
{
    static const uint64_t far_away[] = {1 << 8,          1 << 16,         (1 << 16) + 0x10,
                                        1ull << 32,      1ull << 63,      UINT64_MAX,
                                        UINT64_MAX - 15, (1 << 8) + 0x10, (1ull << 32) + 0x10};
    uint8_t index;
    uint16_t id;

    for (unsigned wire = 0; wire <= 300; wire++) {
        enum mr_err e;

        index = 200, id = 7777;
        e = mr_capabilities_find(c, &index, &id, wire);
        assert_int_equal(e, wire < c->end_id ? MR_OK : MR_NOT_FOUND);
        if (e) {
            assert_int_equal(index, 200);
            assert_int_equal(id, 7777);
            continue;
        }
        assert_int_equal(mr_capabilities_wire_id(c, index, id), wire);
        if (wire < 16)
            assert_int_equal(index, MR_CAPABILITY_BASE);
        else
            assert_in_range(id, 0, c->shared[index].ids_count - 1);
    }
    for (size_t i = 0; i < MR_COUNT_OF(far_away); i++)
        assert_int_equal(mr_capabilities_find(c, &index, &id, far_away[i]), MR_NOT_FOUND);
}

static void ids_outside_of_what_is_shared_belong_to_nobody(void **state)
{
    struct mr_protocol ours[ALL];
    struct mr_capability theirs[ALL];

    (void)state;
    for (unsigned bits = 1; bits < SUBSETS; bits++) {
        struct mr_capabilities c;

        assert_int_equal(mr_capabilities_match(&c, ours, subset_of_ours(ours, bits), theirs,
                                               subset_of_theirs(theirs, bits)),
                         MR_OK);
        check_ids(&c);
    }
}

static void the_table_has_the_lengths_of_the_specifications(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALL; i++) {
        const struct mr_protocol *p = mr_protocol_find(all[i].name, all[i].version);

        if (strcmp(all[i].name, "unknown") == 0) {
            assert_null(p);
            continue;
        }
        assert_non_null(p);
        assert_int_equal(p->ids_count, all[i].ids);
    }
    assert_int_equal(mr_protocols_count, ALL - 1);
    assert_null(mr_protocol_find("eth", 73));
    assert_null(mr_protocol_find("eth", 65));
    assert_null(mr_protocol_find("et", 68));
    assert_null(mr_protocol_find("ethereum-like", 68));
    for (size_t i = 1; i < mr_protocols_count; i++) {
        const struct mr_capability *a = &mr_protocols[i - 1].capability;
        const struct mr_capability *b = &mr_protocols[i].capability;
        int order = memcmp(a->name, b->name, sizeof a->name);

        assert_true(order < 0 || (order == 0 && a->version < b->version));
    }
}

static void names_are_compared_as_bytes_and_sorted(void **state)
{
    const struct mr_protocol ours[] = {
        {capability("zz", 1), 1},       {capability("Zz", 1), 2},           {capability("z", 1), 4},
        {capability("zzzzzzzz", 9), 8}, {capability("a0", UINT64_MAX), 16},
    };
    static const char *const order[] = {"Zz/1", "a0/18446744073709551615", "z/1", "zz/1",
                                        "zzzzzzzz/9"};
    struct mr_capability theirs[2 * MR_COUNT_OF(ours)];
    struct mr_capabilities c;
    char text[MR_CAPABILITY_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(theirs);
         i++) /* every one twice: repeating changes nothing */
        theirs[i] = ours[i % MR_COUNT_OF(ours)].capability;
    assert_int_equal(
        mr_capabilities_match(&c, ours, MR_COUNT_OF(ours), theirs, MR_COUNT_OF(theirs)), MR_OK);
    assert_int_equal(c.count, MR_COUNT_OF(order));
    for (unsigned i = 0; i < c.count; i++) {
        mr_capability_text(text, &c.shared[i].capability);
        assert_string_equal(text, order[i]);
    }
    assert_int_equal(c.end_id, 16 + 31);
    check_ids(&c);
    assert_ptr_equal(mr_capabilities_named(&c, "zz"), &c.shared[3]);
    assert_null(mr_capabilities_named(&c, "zzz"));
    assert_null(mr_capabilities_named(&c, ""));
}

static void odd_names_cannot_be_shared(void **state)
{
    static const char *const bad[] = {"", "ninebytes", "a b", "a\n", "a\x7f", "\xc3\xa9th", " "};
    struct mr_capability c;

    (void)state;
    for (size_t i = 0; i < MR_COUNT_OF(bad); i++)
        assert_false(mr_capability_make(&c, mr_span(bad[i], strlen(bad[i])), 1));
    assert_false(mr_capability_make(&c, mr_span("et\0", 3), 1)); /* would equal "et" */
    assert_true(mr_capability_make(&c, mr_span("8bytes!~", 8), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_subsets_matches_as_the_naive_model_says),
        cmocka_unit_test(ids_outside_of_what_is_shared_belong_to_nobody),
        cmocka_unit_test(the_table_has_the_lengths_of_the_specifications),
        cmocka_unit_test(names_are_compared_as_bytes_and_sorted),
        cmocka_unit_test(odd_names_cannot_be_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
