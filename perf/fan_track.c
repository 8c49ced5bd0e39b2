#include "perf/fan_track.h"

#include <stdlib.h>

#include "core/clock.h"
#include "perf/fan_payload.h"

#define DIGITS 3

enum mr_err mr_fan_track_init(struct mr_fan_track *t, uint32_t messages, uint32_t measured_from,
                              uint32_t receivers, uint64_t seed)
{
    const struct mr_histogram_options options = {.highest = MR_HISTOGRAM_HOUR_US, .digits = DIGITS};

    *t = (struct mr_fan_track){
        .messages = messages, .receivers = receivers, .measured_from = measured_from, .seed = seed};
    t->begin_ns = calloc(messages + 1, sizeof *t->begin_ns);
    t->left = calloc(messages + 1, sizeof *t->left);
    t->next = calloc(receivers, sizeof *t->next);
    if (!t->begin_ns || !t->left || !t->next || mr_histogram_init(&t->latency, &options) != MR_OK ||
        mr_histogram_init(&t->last, &options) != MR_OK)
        return MR_FULL;
    return MR_OK;
}

void mr_fan_track_fini(struct mr_fan_track *t)
{
    free(t->begin_ns);
    free(t->left);
    free(t->next);
    mr_histogram_fini(&t->latency);
    mr_histogram_fini(&t->last);
    *t = (struct mr_fan_track){0};
}

void mr_fan_track_published(struct mr_fan_track *t, uint64_t now_ns)
{
    MR_ASSERT(t->published < t->messages);
    t->begin_ns[t->published] = now_ns;
    t->left[t->published] = t->receivers;
    t->published++;
}

/* One receiver less waits for message k. Those before k are complete when k is: each receiver has
 * passed them. */
static void settle(struct mr_fan_track *t, uint32_t k, uint64_t now_ns)
{
    if (--t->left[k] > 0)
        return;
    t->completed++;
    if (k >= t->measured_from)
        mr_histogram_record(&t->last, (now_ns - t->begin_ns[k]) / MR_US);
}

/* The published message of this name, from `from` on in a circle; t->published if there is none. */
static uint32_t find(const struct mr_fan_track *t, uint64_t tag, uint32_t from)
{
    for (uint32_t i = 0; i < t->published; i++) {
        uint32_t k = from + i < t->published ? from + i : from + i - t->published;

        if (mr_fan_tag(t->seed, k) == tag)
            return k;
    }
    return t->published;
}

void mr_fan_track_delivered(struct mr_fan_track *t, uint32_t receiver, uint64_t tag,
                            uint64_t now_ns)
{
    const uint32_t due = t->next[receiver];
    uint32_t k = due;

    MR_ASSERT(receiver < t->receivers);
    if (MR_UNLIKELY(due >= t->published || mr_fan_tag(t->seed, due) != tag)) {
        k = find(t, tag, due);
        if (k == t->published)
            t->damaged++;
        else if (k < due)
            t->doubled++;
        if (k == t->published || k < due)
            return;
        t->dropped += k - due;
        for (uint32_t skipped = due; skipped < k; skipped++)
            settle(t, skipped, now_ns);
    }
    t->next[receiver] = k + 1;
    t->delivered++;
    if (k >= t->measured_from)
        mr_histogram_record(&t->latency, (now_ns - t->begin_ns[k]) / MR_US);
    settle(t, k, now_ns);
}

uint64_t mr_fan_track_lost(const struct mr_fan_track *t)
{
    uint64_t lost = t->dropped;

    for (uint32_t i = 0; i < t->receivers; i++)
        lost += t->published - t->next[i];
    return lost;
}

bool mr_fan_track_faultless(const struct mr_fan_track *t)
{
    return mr_fan_track_lost(t) + t->doubled + t->damaged + t->returned == 0;
}
