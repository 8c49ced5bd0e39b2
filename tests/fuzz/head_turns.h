/* head_turns.h: the turns of the shards of fuzz_head.c: rounds that begin, questions, and what is
 * told to other shards; each as the round demands. */
#pragma once
#include "tests/fuzz/head_mail.h"
#include "tests/fuzz/head_shards.h"

static uint64_t sent_changes[SHARDS_MAX]; /* of shard 0, to the others */
static struct mr_head_voices told_voices[SHARDS_MAX];

/* ---- questions ---- */

static struct round begun; /* the round that this turn began, if any place is used */
static struct mr_hash begun_origin;

static void begun_place(unsigned place, bool trusted, bool fresh, const struct mr_hash *origin)
{
    bool first = true;

    MR_ASSERT(place < VOICES);
    MR_ASSERT(!begun.voices[place].used);
    for (unsigned i = 0; i < VOICES; i++)
        first &= !begun.voices[i].used;
    MR_ASSERT(first || begun.fresh == fresh);
    begun.fresh = fresh;
    begun.voices[place].used = true;
    begun.voices[place].trusted = trusted;
    if (fresh)
        return;
    MR_ASSERT(mr_head_known(heads[0]));
    MR_ASSERT(first || mr_hash_equal(&begun_origin, origin));
    begun_origin = *origin;
}

static void on_ask(void *ctx, unsigned shard, const struct mr_head_ask *ask)
{
    (void)ctx;
    MR_ASSERT(shard > 0 && shard < shards);
    MR_ASSERT(begun.number == 0 || begun.number == ask->round);
    MR_ASSERT(ask->round > round_now.number);
    begun.number = ask->round;
    begun_place(ask->place, ask->trusted, ask->fresh, &ask->origin);
    mail_put(MAIL_ASK, shard, ask, NULL, (struct mr_span){0});
}

static struct mr_head_voices on_voices(void *ctx, unsigned shard)
{
    (void)ctx;
    MR_ASSERT(shard > 0 && shard < shards);
    return told_voices[shard];
}

/* What a shard told shard 0 since told_forget. */
static unsigned told_count;
static struct mr_head_voice told;
static uint8_t told_headers[MR_HEAD_RUN_MAX];

static void on_voice(void *ctx, const struct mr_head_voice *v)
{
    unsigned shard = *(const unsigned *)ctx;

    MR_ASSERT(shard > 0);
    MR_ASSERT(v->round == asked_round[shard]);
    MR_ASSERT(v->headers.n <= sizeof told_headers);
    MR_ASSERT((v->word == MR_HEAD_SPOKE) == (v->headers.n > 0));
    told_count++;
    told = *v;
    if (v->headers.n > 0)
        memcpy(told_headers, v->headers.p, v->headers.n);
    told.headers.p = told_headers;
    mail_put(MAIL_VOICE, shard, NULL, v, v->headers);
}

static void question_sent(unsigned shard, unsigned place, uint32_t slot, uint64_t id,
                          const struct mr_get_block_headers *query)
{
    struct question *q = &questions[shard][place];
    const struct peer *p = &peers[slot];

    MR_ASSERT(slot < SLOTS && slot % shards == shard);
    MR_ASSERT(p->present);
    MR_ASSERT(query->by_hash);
    MR_ASSERT(query->amount == MR_HEAD_BATCH);
    MR_ASSERT(query->skip == 0);
    MR_ASSERT(query->reverse == q->fresh);
    MR_ASSERT(p->overrode[place] == q->trusted);
    MR_ASSERT(mr_hash_equal(&query->origin_hash, q->fresh ? &p->claimed[place] : &q->origin));
    for (unsigned i = 0; i < VOICES; i++)
        MR_ASSERT(i == place || !questions[shard][i].open || !questions[shard][i].sent ||
                  questions[shard][i].slot != slot);
    q->sent = true;
    q->slot = slot;
    q->id = id;
    q->origin = query->origin_hash;
}

static void question_open(unsigned shard, unsigned place, bool trusted, bool fresh,
                          const struct mr_hash *origin)
{
    for (uint32_t slot = shard; slot < SLOTS; slot += shards) {
        peers[slot].overrode[place] = overrides(&peers[slot]);
        peers[slot].claimed[place] = peers[slot].claim;
    }
    questions[shard][place] = (struct question){.open = true,
                                                .trusted = trusted,
                                                .fresh = fresh,
                                                .origin = *origin,
                                                .serial = begun.serial};
}

static void take_ask(unsigned shard, const struct mr_head_ask *ask)
{
    bool all_sent = true;

    if (ask->round != asked_round[shard])
        questions_end(shard);
    asked_round[shard] = ask->round;
    for (unsigned i = 0; i < VOICES; i++)
        all_sent &= !questions[shard][i].open || questions[shard][i].sent;
    told_count = 0;
    mr_head_take_ask(heads[shard], ask, now.mono_ns);
    if (told_count == 0) {
        question_open(shard, ask->place, ask->trusted, ask->fresh, &ask->origin);
        return;
    }
    MR_ASSERT(told_count == 1);
    MR_ASSERT(told.place == ask->place);
    MR_ASSERT(told.word == MR_HEAD_FAILED);
    MR_ASSERT(!all_sent || !somebody_left(shard, shards, ask->trusted));
}

/* ---- turns ---- */

static void voices_tell(unsigned shard)
{
    struct mr_head_voices v = mr_head_own_voices(heads[shard]), counted = {0};

    for (uint32_t slot = shard; slot < SLOTS; slot += shards) {
        counted.trusted += peers[slot].present && overrides(&peers[slot]);
        counted.others += peers[slot].present && !overrides(&peers[slot]);
    }
    MR_ASSERT(v.trusted == counted.trusted);
    MR_ASSERT(v.others == counted.others);
    told_voices[shard] = v;
}

static void turn_following(unsigned shard)
{
    struct mr_get_block_headers query;
    unsigned place = 0;
    uint32_t slot;
    uint64_t id;

    voices_tell(shard);
    while (mr_head_next_request(heads[shard], &slot, &id, &query, now.mono_ns)) {
        while (place < VOICES && (!questions[shard][place].open || questions[shard][place].sent))
            place++;
        MR_ASSERT(place < VOICES);
        question_sent(shard, place, slot, id, &query);
    }
    for (unsigned i = 0; i < VOICES; i++)
        MR_ASSERT(!questions[shard][i].open || questions[shard][i].sent);
    MR_ASSERT(mr_head_next_ns(heads[shard]) == UINT64_MAX);
}

/* The newest headers to those that do not have them. */
static void publish(void)
{
    static uint8_t room[MR_HEAD_RUN_MAX];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_reader r;
    struct mr_header h;
    unsigned n = MR_MIN(windows[0].count, (unsigned)MR_HEAD_BATCH);

    mr_head_run(heads[0], &w);
    for (r = mr_reader_of(mr_writer_span(&w)); !mr_reader_done(&r);) {
        MR_ASSERT(n-- > 0);
        MR_ASSERT(header_read(&r, &h) == MR_OK);
        MR_ASSERT(mr_hash_equal(&h.hash, &windows[0].hashes[n]));
    }
    MR_ASSERT(n == 0);
    for (unsigned i = 1; i < shards; i++)
        if (sent_changes[i] != seen_changes[0] &&
            mail_put(MAIL_RUN, i, NULL, NULL, mr_writer_span(&w)))
            sent_changes[i] = seen_changes[0];
}

struct request {
    uint32_t slot;
    uint64_t id;
    struct mr_get_block_headers query;
};

/* Shard 0's own questions of the round begun, at the places that other shards did not get. */
static void own_questions(const struct request *own, unsigned n)
{
    if (n > 0)
        questions_end(0);
    for (unsigned i = 0, place = 0; i < n; i++, place++) {
        const struct peer *p = &peers[own[i].slot];

        while (place < VOICES && begun.voices[place].used)
            place++;
        begun_place(place, overrides(p), own[i].query.reverse, &own[i].query.origin_hash);
        question_open(0, place, overrides(p), own[i].query.reverse, &own[i].query.origin_hash);
        question_sent(0, place, own[i].slot, own[i].id, &own[i].query);
        for (unsigned k = 0; k < i && !overrides(p); k++)
            MR_ASSERT(overrides(&peers[own[k].slot]) || apart(&peers[own[k].slot], p));
    }
}

/* Whether the last round may be followed by another before the next poll: none after which that
 * could go on for ever. Without a head, and from an old claim on (fresh), and behind a whole batch,
 * there is more to be had; lost sends us back once a poll. */
static bool more_at_once(void)
{
    bool batch = false;

    for (unsigned i = 0; i < VOICES; i++)
        batch |= round_now.voices[i].said.count == MR_HEAD_BATCH;
    return batch || lost || round_now.fresh;
}

/* The round that begins asks trusted peers first, and for what the state demands. */
static void begun_check(const struct mr_head_voices *sum)
{
    unsigned trusted = 0;

    MR_ASSERT(!round_now.open);
    if (round_now.serial > 0 &&
        now.mono_ns + options.request_timeout_ns < round_now.ends_ns + options.head_poll_ns)
        MR_ASSERT(more_at_once());
    for (unsigned i = 0; i < VOICES; i++)
        trusted += begun.voices[i].used && begun.voices[i].trusted;
    MR_ASSERT(trusted == MR_MIN(sum->trusted, (unsigned)VOICES));
    MR_ASSERT(begun.fresh == (windows[0].count == 0 || lost || stale >= STALE));
    if (!begun.fresh)
        MR_ASSERT(mr_hash_equal(&begun_origin,
                                &windows[0].hashes[MR_MIN(windows[0].count - 1, (unsigned)BELOW)]));
    lost = false;
    round_now = begun;
    round_now.open = true;
    round_now.ends_ns = now.mono_ns + options.request_timeout_ns;
}

static void turn_deciding(void)
{
    bool idle = !round_now.open, due = mr_head_next_ns(heads[0]) <= now.mono_ns, any = false;
    bool over = !idle && now.mono_ns >= round_now.ends_ns, known = windows[0].count > 0;
    struct mr_head_voices sum = {0};
    struct request own[VOICES], r;
    unsigned n = 0;

    voices_tell(0);
    for (unsigned i = 0; i < shards; i++)
        sum.trusted += told_voices[i].trusted, sum.others += told_voices[i].others;
    begun = (struct round){.serial = round_now.serial + 1};
    while (mr_head_next_request(heads[0], &r.slot, &r.id, &r.query, now.mono_ns)) {
        MR_ASSERT(n < VOICES);
        own[n++] = r;
    }
    if (over)
        decided(true);
    own_questions(own, n);
    for (unsigned i = 0; i < VOICES; i++)
        any |= begun.voices[i].used;
    if (any)
        begun_check(&sum);
    else if (!round_now.open && sum.trusted + sum.others == 0)
        lost = false;
    if (idle && any)
        MR_ASSERT(due || !known);
    if (idle && due)
        MR_ASSERT(any == (sum.trusted + sum.others > 0));
    MR_ASSERT(mr_head_next_ns(heads[0]) > now.mono_ns); /* or the shard would spin */
    if (round_now.open)
        MR_ASSERT(mr_head_next_ns(heads[0]) == round_now.ends_ns);
    else
        MR_ASSERT(mr_head_next_ns(heads[0]) <= now.mono_ns + options.head_poll_ns);
    if (windows[0].count > 0)
        publish();
}

static void turn(unsigned shard)
{
    if (shard == 0)
        turn_deciding();
    else
        turn_following(shard);
}
