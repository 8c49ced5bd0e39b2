/* Peers of one to three shards that come with claims, are asked for headers, answer (rightly, cut,
 * unlinked, against a rule, ahead of the clock, with the input's own bytes, twice, late or never)
 * from four branches, and go, while mail between the shards is late or lost: a program of steps
 * into head.h. Behind every step: shard 0 moved exactly where its round sends it (head_round.h),
 * the others only to what it sent them; rounds follow each other no faster than they may; what is
 * served is one chain by the rules down from the head, at most 256 long and not ahead of the clock;
 * Status, fork id and the other readers tell of that head; every answer is judged as the questions
 * say. And whatever happened: when mail comes again and some peers are honest, every shard soon has
 * their head. */
#include "tests/fuzz/head_turns.h"
#include "tests/fuzz/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- answers ---- */

/* What an answer to an open question makes its shard say. */
static void answer_taken(unsigned shard, unsigned place, struct mr_span headers, enum mr_err e)
{
    struct question *q = &questions[shard][place];
    struct mr_head_voice want = {.word = MR_HEAD_FAILED};
    struct peer *p = &peers[q->slot];
    bool right = answer_judge(q, headers, mr_time_wall_s(now), &want.headers);

    q->answered = true;
    MR_ASSERT(e == (right ? MR_OK : MR_INVALID));
    if (!right)
        want.headers.n = 0;
    else if (want.headers.n > 0)
        want.word = MR_HEAD_SPOKE;
    else if (headers.n == 0)
        want.word = MR_HEAD_UNKNOWN;
    if (want.word == MR_HEAD_UNKNOWN && q->fresh)
        p->has_chain = false; /* it has not even what it claims */
    want.local = p->local;
    want.net16 = p->net16;
    if (shard == 0) {
        if (round_now.open && q->serial == round_now.serial)
            round_voice(place, &want);
        decided(false);
        return;
    }
    MR_ASSERT(told_count == 1);
    MR_ASSERT(told.place == place);
    MR_ASSERT(told.word == want.word);
    MR_ASSERT(told.headers.n == want.headers.n);
    if (want.word != MR_HEAD_SPOKE)
        return;
    MR_ASSERT(memcmp(told.headers.p, want.headers.p, want.headers.n) == 0);
    MR_ASSERT(told.local == want.local);
    MR_ASSERT(told.net16 == want.net16);
}

static void answer(uint32_t slot, uint64_t id, struct mr_span headers)
{
    unsigned shard = slot % shards;
    enum mr_err e;

    told_count = 0;
    e = mr_head_answer(heads[shard], slot, id, mr_reader_of(headers), now);
    for (unsigned i = 0; i < VOICES; i++) {
        const struct question *q = &questions[shard][i];

        if (!q->open || !q->sent || q->slot != slot || q->id != id)
            continue;
        if (!q->answered) {
            answer_taken(shard, i, headers, e);
            return;
        }
        MR_ASSERT(e == MR_INVALID);
        MR_ASSERT(told_count == 0);
        return;
    }
    MR_ASSERT(e == (late_take(slot, id) ? MR_AGAIN : MR_INVALID));
    MR_ASSERT(told_count == 0);
}

static uint8_t answer_room[(MR_HEAD_BATCH + 3) * sizeof chain[0][0].made.rlp];

/* how: rightly, cut, from another branch, a wrong id, with the input's bytes or an odd child. */
static void answer_somehow(struct program *in, uint8_t arg)
{
    const struct question *q = &questions[arg % SHARDS_MAX % shards][arg / SHARDS_MAX % VOICES];
    uint8_t how = program_take(in);
    struct mr_writer w = mr_writer(answer_room, sizeof answer_room);
    struct mr_span own;

    if (!q->sent || !peers[q->slot].present)
        return;
    answer_write(&w, q, how % BRANCHES, MR_HEAD_BATCH - (how >> 2 & 7));
    if ((how & 0x60) == 0x20) {
        own = program_take_bytes(in);
        MR_ASSERT(mr_rlp_put_raw(&w, own.p, own.n) == MR_OK);
    } else if ((how & 0x60) == 0x40) { /* a break in the chain, or one too many */
        answer_write(&w, q, (how >> 2) % BRANCHES, 2);
    } else if ((how & 0x60) == 0x60) {
        unsigned at = chain_find(how % BRANCHES, &q->origin) + MR_HEAD_BATCH - (how >> 2 & 7) - 1;
        struct block b;

        odd_make(&b, how % BRANCHES, MR_MIN(at, tips[how % BRANCHES]), program_take(in));
        MR_ASSERT(mr_rlp_put_raw(&w, b.made.rlp, b.made.n) == MR_OK);
    }
    answer(q->slot, q->id + (how >> 7), mr_writer_span(&w));
}

static void answer_late(uint32_t slot, uint8_t arg)
{
    if (peers[slot].present)
        answer(slot, arg & 0x80 ? arg : peers[slot].late[arg % LATE], mr_span(served, 0));
}

/* ---- peers ---- */

static void leave(uint32_t slot)
{
    unsigned shard = slot % shards;

    if (!peers[slot].present)
        return;
    told_count = 0;
    mr_head_peer_remove(heads[shard], slot, now.mono_ns);
    MR_ASSERT(told_count <= (shard > 0));
    if (told_count == 1) {
        struct question *q = &questions[shard][told.place];

        MR_ASSERT(told.word == MR_HEAD_FAILED);
        MR_ASSERT(q->open && !q->answered);
        MR_ASSERT(!q->sent || q->slot == slot);
        q->slot = slot;
        q->sent = q->answered = true;
    }
    for (unsigned i = 0; i < VOICES; i++) {
        struct question *q = &questions[shard][i];

        if (!q->open || !q->sent || q->answered || q->slot != slot)
            continue;
        MR_ASSERT(shard == 0); /* where nothing is told by mail */
        q->answered = true;
        if (round_now.open && q->serial == round_now.serial)
            round_voice(i, &(struct mr_head_voice){.word = MR_HEAD_FAILED});
        decided(false);
    }
    /* others of its network are not asked in this round all the same */
    peers[slot] = (struct peer){.net16 = peers[slot].net16, .local = peers[slot].local};
}

static void join(uint32_t slot, uint8_t arg, uint8_t claimed)
{
    uint32_t ip = arg & 0x80 ? 0x7f000001 : 0x01000000u + ((arg & 15u) << 16) + slot;
    struct peer *p = &peers[slot];
    struct mr_head_claim claim;

    leave(slot);
    claim = claim_make(p, claimed, &network->genesis_hash);
    p->present = true;
    p->trusted = arg & 0x40;
    p->local = arg & 0x80 && !options.loopback_is_public;
    p->net16 = ip >> 16;
    mr_head_peer_add(heads[slot % shards], slot, (struct mr_endpoint){.ip = ip, .port = 1},
                     p->trusted, &claim);
}

static void claim_anew(uint32_t slot, uint8_t arg)
{
    struct peer old = peers[slot], *p = &peers[slot];
    struct mr_head_claim claim = claim_make(p, arg, &network->genesis_hash);

    mr_head_peer_claim(heads[slot % shards], slot, &claim);
    if (!old.present) /* who has gone says nothing */
        *p = old;
}

/* ---- mail ---- */

static bool mail_down(unsigned shard)
{
    static struct mail m;
    static struct voice run;

    if (!mail_take(&m, shard, false))
        return false;
    if (m.kind == MAIL_ASK) {
        take_ask(shard, &m.ask);
        return true;
    }
    mr_head_adopt(heads[shard], mr_span(m.bytes, m.n));
    part_read(&run.said, mr_span(m.bytes, m.n));
    MR_ASSERT(
        mr_hash_equal(&mr_head_header(heads[shard])->hash, &run.said.hashes[run.said.count - 1]));
    look(shard, &run, 1);
    return true;
}

static bool mail_up(unsigned shard)
{
    static struct mail m;

    if (!mail_take(&m, shard, true))
        return false;
    mr_head_take_voice(heads[0], &m.voice, now.mono_ns);
    if (round_now.open && m.voice.round == round_now.number) {
        MR_ASSERT(round_now.voices[m.voice.place].used);
        MR_ASSERT(!round_now.voices[m.voice.place].done);
        round_voice(m.voice.place, &m.voice);
    }
    decided(false);
    return true;
}

/* As if its queue had been full: a run is sent again. */
static void mail_lose(unsigned shard, bool up)
{
    static struct mail m;

    if (mail_take(&m, shard, up) && m.kind == MAIL_RUN)
        sent_changes[shard] = 0;
}

/* All of it comes, and what follows from it. */
static void mail_all(void)
{
    for (bool some = true; some;) {
        some = false;
        for (unsigned i = shards; i-- > 1;)
            some |= mail_down(i) || mail_up(i);
        for (unsigned i = shards; !some && i-- > 0;)
            turn(i);
        some |= mails_count > 0;
    }
}

static bool answer_all(void)
{
    bool some = false;

    for (unsigned s = 0; s < shards; s++)
        for (unsigned i = 0; i < VOICES; i++) {
            const struct question *q = &questions[s][i];
            struct mr_writer w = mr_writer(answer_room, sizeof answer_room);

            if (!q->open || !q->sent || q->answered)
                continue;
            answer_write(&w, q, peers[q->slot].branch, MR_HEAD_BATCH);
            answer(q->slot, q->id, mr_writer_span(&w));
            some = true;
        }
    return some;
}

/* Everybody who is asked answers as it should, and all mail comes. Rounds follow each other while
 * there is more to hear, but not for ever without passing of time. */
static void play(void)
{
    unsigned n = 0;

    mail_all();
    while (answer_all()) {
        mail_all();
        MR_ASSERT(++n < 2 * LENGTH / (MR_HEAD_BATCH - BELOW - 1) + 10);
    }
}

static void pass(uint64_t ns)
{
    now.mono_ns += ns;
    now.wall_ns += ns;
    wall_max_s = MR_MAX(wall_max_s, mr_time_wall_s(now));
}

/* Rounds as they should be, while a branch grows. */
static void rounds(unsigned branch, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        tips[branch] = MR_MIN(tips[branch] + 8, (unsigned)LENGTH - 2);
        pass(options.head_poll_ns);
        play();
    }
}

/* Mail comes again, and three peers are honest: the trusted one, or they all, follow a branch. */
static void settle(unsigned branch, bool trusted)
{
    const struct mr_hash *tip = &chain[branch][tips[branch]].h.hash;
    bool settled = false;

    for (uint32_t slot = 0; slot < SLOTS; slot++)
        leave(slot);
    now.wall_ns = (CHAIN_TIME + (uint64_t)CHAIN_SLOT_S * LENGTH) * MR_SECOND;
    join(0, trusted ? 0x40 : 0, (uint8_t)branch);
    join(1, 1, (uint8_t)(trusted ? branch ^ 1 : branch));
    join(2, 2, (uint8_t)(trusted ? branch ^ 1 : branch));
    for (unsigned i = 0; i < 16 && !settled; i++) {
        pass(options.request_timeout_ns + options.head_poll_ns);
        play();
        settled = true;
        for (unsigned s = 0; s < shards; s++)
            settled &=
                mr_head_known(heads[s]) && mr_hash_equal(&mr_head_header(heads[s])->hash, tip);
    }
    MR_ASSERT(settled);
}

/* ---- programs ---- */

static void ask(struct program *in, unsigned shard, uint8_t arg)
{
    uint8_t what = program_take(in);
    struct mr_get_block_headers q = {.by_hash = arg & 1,
                                     .reverse = arg & 2,
                                     .origin_number = CHAIN_FIRST + what,
                                     .origin_hash = chain[arg % BRANCHES][what].h.hash,
                                     .amount = (arg >> 4) * (arg >> 4),
                                     .skip = (arg >> 2) & 3};

    if (what == UINT8_MAX) {
        q.origin_hash = network->genesis_hash;
        q.origin_number = arg & 8 ? 0 : UINT64_MAX;
    }
    served_check(serve(shard, &q, (size_t)what * 64), &q);
}

/* arg: a shard (not shard 0 if there is another), which way, and whether it is lost. */
static void mail(uint8_t arg)
{
    unsigned shard = shards > 1 ? 1 + arg % (shards - 1) : 0;

    if (shard == 0)
        return;
    if (arg & 8)
        mail_lose(shard, arg & 4);
    else if (arg & 4)
        mail_up(shard);
    else
        mail_down(shard);
}

static uint64_t until_next(void)
{
    return MR_MAX(mr_head_next_ns(heads[0]), now.mono_ns) - now.mono_ns;
}

/* To where a block's time is just not ahead of the clock, just ahead, or anywhere. */
static void clock_set(uint8_t arg, uint32_t how)
{
    static const uint8_t before_s[4] = {MR_HEAD_AHEAD_S % CHAIN_SLOT_S,
                                        MR_HEAD_AHEAD_S % CHAIN_SLOT_S + 1, 0, 9};
    uint64_t slots = arg + (how & 1 ? 64u : 0u);

    now.wall_ns =
        (CHAIN_TIME + CHAIN_SLOT_S * slots + CHAIN_SLOT_S - before_s[how >> 1 & 3]) * MR_SECOND;
    pass(0);
}

static void step(struct program *in)
{
    uint8_t op = program_take(in), arg = program_take(in);
    uint32_t slot = (op >> 4) % SLOTS;

    switch (op % 12) {
    case 0:
        join(slot, arg, program_take(in));
        break;
    case 1:
        leave(slot);
        break;
    case 2:
        claim_anew(slot, arg);
        break;
    case 3:
        pass(arg > 0 ? (uint64_t)arg * arg * MR_MS : until_next());
        break;
    case 4:
        turn(arg % shards);
        break;
    case 5:
        answer_somehow(in, arg);
        break;
    case 6:
        answer_late(slot, arg);
        break;
    case 7:
        tips[slot % BRANCHES] = (tips[slot % BRANCHES] + arg) % (LENGTH - 1);
        break;
    case 8:
        rounds(slot % BRANCHES, arg % 8);
        break;
    case 9:
        mail(arg);
        break;
    case 10:
        clock_set(arg, slot);
        break;
    default:
        ask(in, arg % shards, arg);
    }
    for (unsigned i = 0; i < shards; i++)
        MR_ASSERT(!moved(i)); /* but where something said so */
    status_check(arg % shards, MR_ETH_68 + arg % 5);
}

static void begin(uint8_t how)
{
    static const unsigned self[SHARDS_MAX] = {0, 1, 2};

    options.loopback_is_public = how & 1;
    shards = 1 + (how >> 1) % SHARDS_MAX;
    for (unsigned i = 0; i < shards; i++) {
        struct mr_head_hooks hooks = {
            .ctx = (void *)&self[i], .ask = on_ask, .voice = on_voice, .voices = on_voices};

        heads[i] = mr_head_new(&options, network, SLOTS, i, shards, shards > 1 ? &hooks : NULL);
        MR_ASSERT(heads[i]);
    }
    memset(peers, 0, sizeof peers);
    memset(questions, 0, sizeof questions);
    memset(asked_round, 0, sizeof asked_round);
    memset(tips, 0, sizeof tips);
    memset(seen_changes, 0, sizeof seen_changes);
    memset(sent_changes, 0, sizeof sent_changes);
    memset(told_voices, 0, sizeof told_voices);
    memset(windows, 0, sizeof windows);
    memset(&round_now, 0, sizeof round_now);
    mails_count = stale = 0;
    lost = false;
    now = (struct mr_time){.mono_ns = 1000 * MR_SECOND, .wall_ns = CHAIN_TIME * MR_SECOND};
    wall_max_s = CHAIN_TIME;
    pass(UINT64_C(3000) * MR_SECOND);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct program in = program_of(data, size, 256);
    uint8_t how;

    if (!network) {
        network = mr_network_find("mainnet");
        mr_relay_options_tiny(&options);
        branches_make();
    }
    how = program_take(&in);
    begin(how);
    while (in.n > 0)
        step(&in);
    if (how & 0x80)
        settle(how >> 4 & 3, how & 0x40);
    for (unsigned i = 0; i < shards; i++)
        mr_head_free(heads[i]);
    return 0;
}
