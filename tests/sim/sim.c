#include "tests/sim/sim.h"

#include <stdlib.h>

void *sim_alloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);

    MR_ASSERT(p);
    return p;
}

void sim_init(struct sim *s, uint64_t seed)
{
    *s = (struct sim){.now_ns = SIM_START_NS, .hash = UINT64_C(0xcbf29ce484222325)};
    mr_random_init(&s->random, seed);
}

void sim_fini(struct sim *s)
{
    for (size_t i = 0; i < s->heap_count; i++)
        if (s->heap[i].owns)
            free(s->heap[i].ctx);
    free(s->heap);
    *s = (struct sim){0};
}

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->sequence < b->sequence;
}

static void push(struct sim *s, struct sim_event e)
{
    size_t i = s->heap_count++;

    if (s->heap_count > s->heap_cap) {
        s->heap_cap = MR_MAX(2 * s->heap_cap, 1024u);
        s->heap = realloc(s->heap, s->heap_cap * sizeof *s->heap);
        MR_ASSERT(s->heap);
    }
    for (; i > 0 && before(&e, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = e;
}

void sim_at(struct sim *s, uint64_t at_ns, sim_fn *fn, void *ctx, uint64_t arg)
{
    push(s, (struct sim_event){.at_ns = MR_MAX(at_ns, s->now_ns),
                               .sequence = s->sequence++,
                               .fn = fn,
                               .ctx = ctx,
                               .arg = arg});
}

void sim_at_owned(struct sim *s, uint64_t at_ns, sim_fn *fn, void *ctx)
{
    push(s, (struct sim_event){.at_ns = MR_MAX(at_ns, s->now_ns),
                               .sequence = s->sequence++,
                               .fn = fn,
                               .ctx = ctx,
                               .owns = true});
}

static struct sim_event pop(struct sim *s)
{
    struct sim_event top = s->heap[0], last = s->heap[--s->heap_count];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= s->heap_count)
            break;
        if (child + 1 < s->heap_count && before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!before(&s->heap[child], &last))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return top;
}

void sim_run(struct sim *s, uint64_t until_ns)
{
    while (s->heap_count > 0 && s->heap[0].at_ns <= until_ns) {
        struct sim_event e = pop(s);

        s->now_ns = e.at_ns;
        s->happened++;
        e.fn(e.ctx, e.arg);
    }
    s->now_ns = MR_MAX(s->now_ns, until_ns);
}

struct mr_time sim_time(const struct sim *s)
{
    return (struct mr_time){.mono_ns = s->now_ns,
                            .wall_ns = SIM_WALL_NS + s->now_ns - SIM_START_NS};
}

uint64_t sim_between(struct sim *s, uint64_t low, uint64_t high)
{
    return low + mr_random_below(&s->random, high - low + 1);
}

bool sim_chance(struct sim *s, unsigned percent)
{
    return mr_random_below(&s->random, 100) < percent;
}

/* FNV-1a over bytes is slow on megabytes, so eight at a time, mixed. */
static uint64_t mix(uint64_t h, uint64_t v)
{
    h ^= v;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

void sim_note(struct sim *s, const void *p, size_t n)
{
    const uint8_t *b = p;

    s->hash = mix(s->hash, s->now_ns);
    for (; n >= 8; b += 8, n -= 8)
        s->hash = mix(s->hash, mr_load_le64(b));
    for (; n > 0; b++, n--)
        s->hash = mix(s->hash, *b);
}

void sim_entropy(void *ctx, void *p, size_t n)
{
    struct sim *s = ctx;

    mr_random_fill(&s->random, p, n);
}
