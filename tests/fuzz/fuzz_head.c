/* Peers that come with claims, are asked for headers, answer (rightly, cut, unlinked, with the
 * input's own bytes, twice, late or never) from three branches, and go, and headers that another
 * shard agreed on: a program of steps into head.h. Behind every step: the head moved only where a
 * trusted peer or two peers of different networks sent it, and did move there; what is served is
 * one chain down from the head, at most 256 long; Status, fork id and the other readers tell of
 * that head; and every answer is judged as the questions say. */
#include "core/clock.h"
#include "net/eth/version.h"
#include "shards/head.h"
#include "tests/fuzz/head_chain.h"
#include "tests/fuzz/head_round.h"
#include "tests/fuzz/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WALL_S 1790000000

static struct mr_relay_options options;
static const struct mr_network *network;
static struct mr_head *head;
static bool open_round, fresh, pending; /* pending: a move that was not published yet */
static uint64_t now, round_ends;
static unsigned tips[BRANCHES];
static struct mr_hash walked; /* the head whose window was looked at last */

/* ---- readers ---- */

static uint8_t served[300 * 1024];

static struct mr_span serve(const struct mr_get_block_headers *q, size_t limit)
{
    struct mr_writer w = mr_writer(served, sizeof served);

    MR_ASSERT(mr_head_serve(head, q, limit, &w) == MR_OK);
    MR_ASSERT(w.n <= limit);
    return mr_writer_span(&w);
}

/* Walks what was served: numbers as asked for, and linked where they are neighbours. */
static unsigned served_check(struct mr_span headers, const struct mr_get_block_headers *q)
{
    struct mr_reader r = mr_reader_of(headers);
    struct mr_header h, before = {0};
    unsigned n = 0;

    for (; !mr_reader_done(&r); n++, before = h) {
        MR_ASSERT(header_read(&r, &h) == MR_OK);
        if (n == 0 && q->by_hash)
            MR_ASSERT(mr_hash_equal(&h.hash, &q->origin_hash));
        else if (n == 0)
            MR_ASSERT(h.number == q->origin_number);
        if (n > 0 && q->reverse)
            MR_ASSERT(h.number + q->skip + 1 == before.number);
        else if (n > 0)
            MR_ASSERT(h.number == before.number + q->skip + 1);
        if (n > 0 && q->skip == 0 && h.number > 0)
            MR_ASSERT(q->reverse ? mr_hash_equal(&before.parent_hash, &h.hash)
                                 : mr_hash_equal(&h.parent_hash, &before.hash));
    }
    MR_ASSERT(n <= q->amount);
    return n;
}

static void window_check(void)
{
    struct mr_get_block_headers q = {.by_hash = true,
                                     .reverse = true,
                                     .origin_hash = mr_head_header(head)->hash,
                                     .amount = 1024};
    struct mr_reader r;
    struct mr_header last;
    struct mr_span all;
    unsigned n;

    all = serve(&q, sizeof served);
    n = served_check(all, &q);
    MR_ASSERT(n >= 1);
    MR_ASSERT(n <= MR_HEAD_WINDOW);
    for (r = mr_reader_of(all); !mr_reader_done(&r);)
        MR_ASSERT(header_read(&r, &last) == MR_OK);
    q = (struct mr_get_block_headers){.origin_number = last.number, .amount = 1024};
    MR_ASSERT(served_check(serve(&q, sizeof served), &q) == n); /* nothing above the head */
    q.origin_number = last.number - 1;
    MR_ASSERT(serve(&q, sizeof served).n == 0); /* nor apart from its chain */
}

static void status_check(unsigned version)
{
    const struct mr_header *h = mr_head_header(head);
    const struct mr_hash *hash = h ? &h->hash : &network->genesis_hash;
    struct mr_chain_point at = {.number = mr_head_number(head), .time = mr_head_time(head)};
    uint8_t room[MR_ETH_STATUS_MAX];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_eth_status s, back;

    at = mr_network_point(network, h ? &at : NULL, WALL_S);
    mr_head_status(head, &s, version, WALL_S);
    MR_ASSERT(s.version == version);
    MR_ASSERT(mr_hash_equal(&s.latest_hash, hash));
    MR_ASSERT(s.earliest == s.latest);
    MR_ASSERT(s.latest == mr_head_number(head));
    MR_ASSERT(mr_fork_id_check(network, at, &s.fork_id) == MR_FORK_COMPATIBLE);
    MR_ASSERT(mr_eth_status_encode(&w, &s) == MR_OK);
    MR_ASSERT(mr_eth_status_decode(&back, version, mr_writer_span(&w)) == MR_OK);
    MR_ASSERT(mr_hash_equal(&back.latest_hash, hash));
}

static void readers_check(void)
{
    const struct mr_header *h = mr_head_header(head);

    MR_ASSERT((h != NULL) == mr_head_known(head));
    MR_ASSERT(mr_head_number(head) == (h ? h->number : 0));
    MR_ASSERT(mr_head_time(head) == (h ? h->time : 0));
}

static void published_check(void)
{
    struct mr_span rlp = {0};
    bool changed = mr_head_changed(head, &rlp);

    MR_ASSERT(changed == pending);
    pending = false;
    if (!changed)
        return;
    MR_ASSERT(rlp.n == mr_head_header(head)->raw.n);
    MR_ASSERT(memcmp(rlp.p, mr_head_header(head)->raw.p, rlp.n) == 0);
}

/* ---- peers and questions ---- */

static struct mr_head_claim claim_of(uint8_t arg)
{
    unsigned branch = arg % BRANCHES;

    return (struct mr_head_claim){.number = FIRST + tips[branch],
                                  .hash = chain[branch][tips[branch]].hash};
}

static void leave(uint32_t slot)
{
    mr_head_peer_remove(head, slot);
    peers[slot] = (struct peer){0};
    for (unsigned i = 0; i < voices_count; i++)
        if (voices[i].slot == slot)
            voices[i].answered = true; /* what it said counts, nothing more will come */
}

static void join(uint32_t slot, uint8_t arg)
{
    uint32_t ip = arg & 0x80 ? 0x7f000001 : 0x01000000u + ((arg & 7u) << 16) + slot;
    struct mr_head_claim claim = claim_of(arg >> 3);
    struct peer *p = &peers[slot];

    if (p->present) {
        leave(slot);
        return;
    }
    *p = (struct peer){.present = true,
                       .trusted = (arg & 0x60) == 0x60,
                       .local = arg & 0x80 && !options.loopback_is_public,
                       .net16 = ip >> 16,
                       .claim = claim.hash};
    mr_head_peer_add(head, slot, (struct mr_endpoint){.ip = ip, .port = 1}, p->trusted, &claim,
                     now);
}

static void question_check(const struct voice *v, const struct mr_get_block_headers *q)
{
    MR_ASSERT(v->peer.present);
    MR_ASSERT(q->by_hash);
    MR_ASSERT(q->amount == BATCH);
    MR_ASSERT(q->skip == 0);
    if (q->reverse)
        MR_ASSERT(mr_hash_equal(&q->origin_hash, &v->peer.claim));
    else
        MR_ASSERT(mr_hash_equal(&q->origin_hash, &mr_head_header(head)->hash));
    for (const struct voice *w = voices; w < v; w++) {
        MR_ASSERT(w->slot != v->slot);
        MR_ASSERT(v->peer.trusted || apart(&w->peer, &v->peer));
    }
}

static void questions(void)
{
    struct mr_get_block_headers q;
    unsigned n = 0;
    uint64_t id;
    uint32_t slot;

    open_round &= now < round_ends;
    while (mr_head_next_request(head, &slot, &id, &q, now)) {
        struct voice *v = &voices[n];

        if (n == 0)
            round_forget();
        MR_ASSERT(n < VOICES);
        MR_ASSERT(slot < SLOTS);
        *v = (struct voice){.slot = slot, .id = id, .peer = peers[slot], .origin = q.origin_hash};
        question_check(v, &q);
        MR_ASSERT(n == 0 || q.reverse == fresh);
        fresh = q.reverse;
        voices_count = ++n;
        open_round = true;
        round_ends = now + options.request_timeout_ns;
    }
    MR_ASSERT(mr_head_next_ns(head) > now); /* or the shard would spin */
}

/* ---- answers ---- */

/* One that is right for whoever follows the branch. */
static void answer_write(struct mr_writer *w, const struct mr_hash *origin, unsigned branch,
                         unsigned count)
{
    unsigned at = chain_find(branch, origin);

    for (unsigned k = 0; k < count && at <= tips[branch]; k++) {
        const struct block *b = &chain[branch][at];

        MR_ASSERT(mr_rlp_put_raw(w, b->rlp, b->n) == MR_OK);
        if (fresh && at == 0)
            return;
        at += fresh ? -1u : 1u;
    }
}

/* Reads an answer as it must be judged; false: it is a breach. */
static bool answer_read(struct voice *v, struct mr_span headers)
{
    struct mr_reader r = mr_reader_of(headers);
    struct mr_header h, before = {0};
    unsigned n = 0;

    for (; !mr_reader_done(&r); n++, before = h) {
        const struct mr_header *upper = fresh ? &before : &h, *lower = fresh ? &h : &before;

        if (n == BATCH || header_read(&r, &h) != MR_OK || mr_header_check(&h, 64) != MR_OK ||
            h.raw.n > MR_HEAD_HEADER_MAX)
            return false;
        if (n == 0 && !fresh && !mr_hash_equal(&h.hash, &v->origin))
            return false;
        if (n > 0 && (!mr_hash_equal(&upper->parent_hash, &lower->hash) ||
                      upper->number != lower->number + 1))
            return false;
        v->hashes[n] = h.hash, v->numbers[n] = h.number;
    }
    v->count = n;
    return true;
}

/* An answer was taken: has the head moved exactly as far as its round agrees? */
static void move_check(bool was_known, uint64_t number)
{
    uint64_t best = agreed_number();
    bool complete = true,
         moves = best > 0 && (!was_known || best > number || (fresh && best != number));

    MR_ASSERT(mr_head_number(head) == (moves ? best : number));
    MR_ASSERT(mr_head_known(head) == (moves || was_known));
    if (moves)
        MR_ASSERT(agreed(&mr_head_header(head)->hash));
    for (unsigned i = 0; i < voices_count; i++)
        complete &= voices[i].answered;
    pending |= moves;
    open_round &= !moves && !complete;
}

static void answer(uint32_t slot, uint64_t id, struct mr_span headers)
{
    bool was_known = mr_head_known(head);
    uint64_t number = mr_head_number(head);
    enum mr_err e = mr_head_answer(head, slot, id, mr_reader_of(headers), now);
    struct voice *v = voices;

    while (v < voices + voices_count && (v->slot != slot || v->id != id))
        v++;
    if (v == voices + voices_count) {
        MR_ASSERT(e == (late_take(slot, id) ? MR_AGAIN : MR_INVALID));
    } else if (v->answered) {
        MR_ASSERT(e == MR_INVALID);
    } else {
        v->answered = true;
        if (!open_round) {
            MR_ASSERT(e == MR_AGAIN);
        } else if (!answer_read(v, headers)) {
            v->count = 0;
            MR_ASSERT(e == MR_INVALID);
        } else {
            MR_ASSERT(e == MR_OK);
            move_check(was_known, number);
            return;
        }
    }
    MR_ASSERT(mr_head_known(head) == was_known);
    MR_ASSERT(mr_head_number(head) == number);
}

/* how: rightly, cut, from another branch, a wrong id, or with the input's bytes among it. */
static void answer_somehow(struct program *in, uint8_t arg)
{
    const struct voice *v = &voices[arg % VOICES];
    uint8_t how = program_take(in);
    uint8_t room[BATCH * 640 + 2048];
    struct mr_writer w = mr_writer(room, sizeof room);
    struct mr_span own;

    if (voices_count <= arg % VOICES)
        return;
    answer_write(&w, &v->origin, how % BRANCHES, BATCH - (how >> 2) % BATCH);
    if (how & 0x20) {
        own = program_take_bytes(in);
        MR_ASSERT(mr_rlp_put_raw(&w, own.p, own.n) == MR_OK);
    } else if (how & 0x40) { /* a break in the chain, or one too many */
        answer_write(&w, &v->origin, (how >> 2) % BRANCHES, 2);
    }
    answer(v->slot, v->id + (how >> 7), mr_writer_span(&w));
}

static void answer_late(uint32_t slot, uint8_t arg)
{
    answer(slot, arg & 0x80 ? arg : peers[slot].late[arg % LATE], mr_span(served, 0));
}

/* Everybody whose turn it is answers from one branch, whose tip moves on each time. */
static void rounds(unsigned branch, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        tips[branch] = MR_MIN(tips[branch] + BATCH - 1, (unsigned)LENGTH - 1);
        now += options.head_poll_ns;
        questions();
        for (unsigned k = 0; k < voices_count; k++) {
            uint8_t room[BATCH * 640];
            struct mr_writer w = mr_writer(room, sizeof room);

            answer_write(&w, &voices[k].origin, branch, BATCH);
            answer(voices[k].slot, voices[k].id, mr_writer_span(&w));
        }
        published_check();
    }
}

/* ---- the rest ---- */

static void adopt(unsigned branch, unsigned i)
{
    const struct block *b = &chain[branch][i % LENGTH];
    uint64_t number = mr_head_number(head);
    bool was_known = mr_head_known(head);

    mr_head_adopt(head, mr_span(b->rlp, b->n), now);
    if (was_known && FIRST + i % LENGTH <= number)
        MR_ASSERT(mr_head_number(head) == number);
    else
        MR_ASSERT(mr_hash_equal(&mr_head_header(head)->hash, &b->hash));
}

static void adopt_some(unsigned branch, unsigned from, unsigned count)
{
    for (unsigned k = 0; k < count; k++)
        adopt(branch, from + k);
}

static void ask(struct program *in, uint8_t arg)
{
    uint8_t what = program_take(in);
    struct mr_get_block_headers q = {.by_hash = arg & 1,
                                     .reverse = arg & 2,
                                     .origin_number = FIRST + what,
                                     .origin_hash = chain[arg % BRANCHES][what].hash,
                                     .amount = (arg >> 4) * (arg >> 4),
                                     .skip = (arg >> 2) & 3};

    if (what == UINT8_MAX) {
        q.origin_hash = network->genesis_hash;
        q.origin_number = arg & 8 ? 0 : UINT64_MAX;
    }
    served_check(serve(&q, (size_t)what * 64), &q);
}

static void step(struct program *in)
{
    uint8_t op = program_take(in), arg = program_take(in);
    uint32_t slot = (op >> 4) % SLOTS;

    switch (op % 10) {
    case 0:
        join(slot, arg);
        break;
    case 1:
        if (peers[slot].present) {
            struct mr_head_claim c = claim_of(arg);

            mr_head_peer_claim(head, slot, &c);
            peers[slot].claim = c.hash;
        }
        break;
    case 2:
        now += (uint64_t)arg * arg * MR_MS;
        questions();
        break;
    case 3:
    case 4:
        answer_somehow(in, arg);
        break;
    case 5:
        answer_late(slot, arg);
        break;
    case 6:
        tips[slot % BRANCHES] = (tips[slot % BRANCHES] + arg) % LENGTH;
        break;
    case 7:
        rounds(slot % BRANCHES, arg % 8);
        break;
    case 8:
        adopt_some(slot % BRANCHES, arg + (slot & 4 ? 64u : 0), slot & 8 ? 60 : 1);
        break;
    default:
        ask(in, arg);
    }
    published_check();
    readers_check();
    if (mr_head_known(head) && !mr_hash_equal(&mr_head_header(head)->hash, &walked)) {
        walked = mr_head_header(head)->hash;
        window_check();
    }
    status_check(MR_ETH_68 + arg % 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct program in = program_of(data, size, 256);

    if (!network) {
        network = mr_network_find("mainnet");
        chain_make();
    }
    mr_relay_options_tiny(&options);
    options.loopback_is_public = program_take(&in) & 1;
    head = mr_head_new(&options, network, SLOTS);
    MR_ASSERT(head);
    memset(peers, 0, sizeof peers);
    memset(tips, 0, sizeof tips);
    memset(&walked, 0, sizeof walked);
    voices_count = 0;
    open_round = fresh = pending = false;
    now = 1000 * MR_SECOND;
    while (in.n > 0)
        step(&in);
    mr_head_free(head);
    return 0;
}
