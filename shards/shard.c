#include "shards/shard.h"

#include <stdio.h>
#include <stdlib.h>

#include "shards/shard_state.h"

MR_METRICS_DEFINE(mr_shard_metrics, MR_SHARD_METRICS)

/* ---- making one ---- */

static bool arrays_new(struct mr_shard *s)
{
    const struct mr_relay_options *o = s->o;
    size_t words = MR_BITMAP_WORDS(s->slots);

    s->arena_bytes = o->arena_bytes;
    return (s->peers = calloc(s->slots, sizeof *s->peers)) &&
           (s->live = calloc(words, sizeof *s->live)) &&
           (s->free = calloc(words, sizeof *s->free)) &&
           (s->parked = calloc(words, sizeof *s->parked)) &&
           (s->sources = calloc(words, sizeof *s->sources)) &&
           (s->doomed = calloc(words, sizeof *s->doomed)) && (s->arena = malloc(o->arena_bytes)) &&
           (s->rx = calloc(2 * (size_t)s->slots, sizeof *s->rx)) &&
           (s->rx_next = calloc(s->slots, sizeof *s->rx_next)) &&
           (s->unseal_jobs = calloc(s->slots, sizeof *s->unseal_jobs)) &&
           (s->unseal_slots = calloc(s->slots, sizeof *s->unseal_slots)) &&
           (s->items = calloc(MR_ITEM_BATCH, sizeof *s->items)) &&
           (s->item_hashes = calloc(MR_ITEM_BATCH, sizeof *s->item_hashes)) &&
           (s->item_spans = calloc(MR_ITEM_BATCH, sizeof *s->item_spans)) &&
           (s->dupes = calloc(MR_DUPE_SLOTS, sizeof *s->dupes)) &&
           (s->frames = calloc(MR_WINDOW_JOBS * MR_FRAMES_PER_JOB, sizeof *s->frames)) &&
           (s->spans = calloc(MR_WINDOW_SPANS, sizeof *s->spans)) &&
           (s->literals = malloc(MR_WINDOW_LITERALS)) &&
           (s->hints = calloc(MR_ITEM_BATCH, sizeof *s->hints));
}

static void body_left(void *ctx, const struct mr_txmeta *meta)
{
    struct mr_shard *s = ctx;

    if (s->admit)
        mr_admit_body_left(s->admit, meta);
}

static bool histograms_new(struct mr_shard *s)
{
    const struct mr_histogram_options o = {.highest = MR_SHARD_HISTOGRAM_MAX_US, .digits = 2};

    return mr_histogram_init(&s->histograms.tx_verify_us, &o) == MR_OK &&
           mr_histogram_init(&s->histograms.tx_relay_us, &o) == MR_OK;
}

static bool parts_new(struct mr_shard *s)
{
    const struct mr_relay_options *o = s->o;
    unsigned shards = mr_mesh_shards(s->setup.mesh);
    struct mr_admit_hooks admit;
    struct mr_fetch_hooks fetch;
    struct mr_head_hooks head;

    mr_shard_admit_hooks(s, &admit);
    mr_shard_fetch_hooks(s, &fetch);
    mr_follow_hooks(s, &head);
    return mr_map_init(&s->by_id, s->slots, sizeof(struct mr_node_id), s->setup.boot_key) ==
               MR_OK &&
           mr_buf_pool_init(&s->pool, 2 * o->pool_bytes + o->send_bytes + o->gather_bytes,
                            2 * o->blob_pool_bytes + o->gather_bytes) == MR_OK &&
           mr_seen_init(&s->seen, o->seen_entries, &s->random) &&
           mr_txlog_init(&s->log, o->log_entries, s->slots, o->pool_bytes, o->blob_pool_bytes,
                         o->bodies_keep_ns, &s->seen, &s->pool) &&
           (s->fetch =
                mr_fetch_new(o, s->slots, s->setup.self, shards, &s->seen, &fetch, &s->random)) &&
           (s->admit = mr_admit_new(o, s->setup.network, s->setup.secp, s->slots, &s->seen,
                                    &s->pool, &s->metrics, s->setup.self, &admit, &s->random)) &&
           (s->head = mr_head_new(o, s->setup.network, s->slots, s->setup.self, shards, &head));
}

struct mr_shard *mr_shard_new(const struct mr_shard_setup *setup, char *why, size_t why_cap)
{
    struct mr_shard *s = NULL;

    if (posix_memalign((void **)&s, MR_CACHELINE, sizeof *s)) {
        snprintf(why, why_cap, "no memory for a shard");
        return NULL;
    }
    memset(s, 0, sizeof *s);
    s->setup = *setup;
    s->o = setup->options;
    s->now = setup->now;
    s->now_ns = setup->now.mono_ns;
    s->slots = mr_relay_slots(s->o);
    s->ready_head = s->ready_tail = MR_NO_SLOT;
    s->full_threshold = UINT64_MAX;
    mr_random_init(&s->random, setup->seed);
    mr_wheel_init(&s->wheel, s->now_ns / MR_MS);
    mr_blob_upload_init(&s->blob_upload, s->o->blob_upload_per_s / s->o->shards, s->now_ns);
    if (!arrays_new(s) || !histograms_new(s) || !parts_new(s)) {
        snprintf(why, why_cap,
                 "no memory for the tables of shard %u: lower --maxpeers or --max-tx-pool-bytes",
                 setup->self);
        mr_shard_free(s);
        return NULL;
    }
    s->log.left = body_left;
    s->log.left_ctx = s;
    _Static_assert(MR_PEER_FREE == 0, "slots that were never used are free");
    for (uint32_t i = 0; i < s->slots; i++)
        mr_bitmap_set(s->free, i);
    return s;
}

void mr_shard_let_go(struct mr_shard *s)
{
    for (uint32_t i = 0; s->peers && s->live && i < s->slots; i++)
        if (mr_bitmap_test(s->live, i)) {
            mr_receive_forget(s, &s->peers[i]);
            mr_answer_forget(s, &s->peers[i]);
            mr_flush_forget(s, &s->peers[i]);
            mr_rlpx_session_wipe(&s->peers[i].session);
            mr_bitmap_clear(s->live, i);
        }
    mr_txlog_fini(&s->log);
    mr_admit_free(s->admit);
    s->admit = NULL;
}

void mr_shard_free(struct mr_shard *s)
{
    if (!s)
        return;
    mr_shard_let_go(s);
    mr_head_free(s->head);
    mr_fetch_free(s->fetch);
    mr_histogram_fini(&s->histograms.tx_verify_us);
    mr_histogram_fini(&s->histograms.tx_relay_us);
    mr_seen_fini(&s->seen);
    mr_map_fini(&s->by_id);
    if (s->pool.base)
        mr_buf_pool_fini(&s->pool);
    free(s->peers), free(s->live), free(s->free), free(s->parked), free(s->sources),
        free(s->doomed);
    free(s->arena), free(s->rx), free(s->rx_next), free(s->unseal_jobs), free(s->unseal_slots);
    free(s->items), free(s->item_hashes), free(s->item_spans), free(s->dupes);
    free(s->frames), free(s->spans), free(s->literals), free(s->hints);
    free(s);
}

/* ---- mail ---- */

static void stop(struct mr_shard *s, uint8_t reason)
{
    s->stopping = true;
    s->stop_reason = reason;
    for (size_t i = 0; (i = mr_bitmap_next(s->live, s->slots, i)) != MR_BITMAP_NONE; i++)
        mr_peer_end(s, mr_shard_peer(s, (uint32_t)i), MR_CLOSED_SHUTDOWN, reason);
}

static void take_mail(struct mr_shard *s, const struct mr_mail *m)
{
    struct mr_peer *p;

    switch ((enum mr_mail_kind)m->kind) {
    case MR_MAIL_ADOPT:
        mr_peer_adopt(s, m->ptr);
        return;
    case MR_MAIL_STOP:
        stop(s, (uint8_t)m->a);
        return;
    case MR_MAIL_DROP:
        if ((p = mr_peer_by_serial(s, m->a)))
            mr_peer_end(s, p, MR_CLOSED_ASKED, (int)m->b);
        return;
    case MR_MAIL_VERDICT:
        mr_admit_blob_verdict(s->admit, m->a, m->b == MR_BLOB_OK, m->b == MR_BLOB_BAD);
        return;
    case MR_MAIL_READY:
        s->blobs_ready = true;
        mr_admit_blobs_ready(s->admit, true);
        return;
    case MR_MAIL_TX:
        if (s->setup.policy)
            s->setup.policy->from_shard(s, m->buf);
        else
            mr_transactions_from_shard(s, m->buf);
        return;
    case MR_MAIL_CLAIM:
    case MR_MAIL_RELEASE:
    case MR_MAIL_REFUSED:
        MR_COUNT(s->metrics.claims_in, 1);
        mr_fetch_hint(s->fetch, m->from, m->kind, &m->hash, m->a, mr_shard_ms(s));
        return;
    case MR_MAIL_ASK:
        mr_follow_take_ask(s, m);
        return;
    case MR_MAIL_VOICE:
        mr_follow_take_voice(s, m);
        return;
    case MR_MAIL_HEAD:
        mr_head_adopt(s->head, mr_buf_span(m->buf));
        mr_buf_put(&s->pool, m->buf);
        return;
    case MR_MAIL_CLOSED:
    case MR_MAIL_ACTIVE:
    case MR_MAIL_STOPPED:
    case MR_MAIL_BLOB:
        break; /* never to a shard */
    }
    MR_ASSERT(!"mail for another thread");
}

static void send_hints(struct mr_shard *s)
{
    unsigned shards = mr_mesh_shards(s->setup.mesh);

    for (uint32_t i = 0; i < s->hints_count; i++) {
        for (unsigned to = 0; to < shards; to++) {
            bool wake = false;

            if (to == s->setup.self)
                continue;
            if (mr_mail_send(s->setup.mesh, s->setup.self, to, MR_MAIL_HINT, &s->hints[i], &wake))
                MR_COUNT(s->metrics.claims_out, 1);
            else
                MR_COUNT(s->metrics.claims_lost, 1);
            if (wake)
                s->setup.port.wake(s->setup.port.ctx, to);
        }
    }
    s->hints_count = 0;
}

/* ---- events ---- */

static void take_event(struct mr_shard *s, const struct mr_shard_event *e)
{
    struct mr_peer *p = mr_shard_peer(s, e->slot);

    if (e->slot >= s->slots || p->generation != e->generation)
        return; /* of an earlier user of the slot */
    switch (e->kind) {
    case MR_EVENT_RECEIVED:
        mr_receive_data(s, p, e->data, e->n);
        return;
    case MR_EVENT_SENT:
        if (p->sending)
            mr_flush_sent(s, p, e->result);
        return;
    case MR_EVENT_ENDED:
        mr_peer_end(s, p, MR_CLOSED_REMOTE, MR_SILENTLY);
        return;
    case MR_EVENT_CLOSED:
        mr_peer_closed(s, p);
        return;
    }
}

/* The remote closed, or what we send does not reach it any more. */
static bool is_end(const struct mr_shard_event *e)
{
    return e->kind == MR_EVENT_ENDED || (e->kind == MR_EVENT_SENT && e->result < 0);
}

/* ---- the turn ---- */

static void publish_gauges(struct mr_shard *s)
{
    struct mr_shard_metrics *m = &s->metrics;
    const struct mr_fetch_counters *f = mr_fetch_count(s->fetch);
    const struct mr_head_counters *h = mr_head_count(s->head);

    MR_COUNT(m->turns, 1);
    MR_GAUGE_SET(m->peers, s->active_count);
    MR_GAUGE_SET(m->peers_waiting, s->live_count - s->active_count);
    MR_GAUGE_SET(m->log_length, s->log.head - s->log.tail);
    MR_GAUGE_SET(m->bodies_bytes, s->log.bytes);
    MR_GAUGE_SET(m->blob_bytes, s->log.blob_bytes);
    MR_GAUGE_SET(m->log_evicted, s->log.evicted);
    MR_GAUGE_SET(m->log_evicted_young, s->log.evicted_young);
    MR_GAUGE_SET(m->verify_length, mr_admit_length(s->admit));
    MR_GAUGE_SET(m->fetch_length, mr_fetch_length(s->fetch));
    MR_GAUGE_SET(m->fetch_announced, mr_fetch_announced_total(s->fetch));
    MR_GAUGE_SET(m->announced_over_limit, f->over_limit);
    MR_GAUGE_SET(m->announced_table_full, f->table_full);
    MR_GAUGE_SET(m->announced_fourth_variant, f->fourth_variant);
    MR_GAUGE_SET(m->fetch_timeouts, f->timeouts);
    MR_GAUGE_SET(m->fetch_gave_up, f->gave_up);
    MR_GAUGE_SET(m->head_rounds, h->rounds);
    MR_GAUGE_SET(m->head_rounds_stale, h->rounds_stale);
    MR_GAUGE_SET(m->head_voices_ignored, h->voices_ignored);
    MR_GAUGE_SET(m->head_headers_ahead, h->headers_ahead);
    MR_GAUGE_SET(m->gather_bytes, s->gather_bytes);
    MR_GAUGE_SET(m->send_bytes, s->sending_bytes);
    MR_GAUGE_SET(m->buffers_bytes, atomic_load_explicit(&s->pool.bytes_used, memory_order_relaxed));
    MR_GAUGE_SET(m->keccak_permutations_1, s->keccak.permutations[MR_KECCAK_W1]);
    MR_GAUGE_SET(m->keccak_permutations_4, s->keccak.permutations[MR_KECCAK_W4]);
    MR_GAUGE_SET(m->keccak_permutations_8, s->keccak.permutations[MR_KECCAK_W8]);
    MR_GAUGE_SET(m->keccak_lanes_1, s->keccak.lanes[MR_KECCAK_W1]);
    MR_GAUGE_SET(m->keccak_lanes_4, s->keccak.lanes[MR_KECCAK_W4]);
    MR_GAUGE_SET(m->keccak_lanes_8, s->keccak.lanes[MR_KECCAK_W8]);
    MR_GAUGE_SET(m->seen_evicted, s->seen.evicted);
    MR_GAUGE_SET(m->seen_full, s->seen.full);
    MR_GAUGE_SET(m->buffers_failed, atomic_load_explicit(&s->pool.fails, memory_order_relaxed));
    MR_GAUGE_SET(m->tick, s->now_ns / MR_MS);
}

static uint64_t next_turn(const struct mr_shard *s, bool more)
{
    uint64_t at = s->now_ns + MR_SECOND / 2; /* tick advances at least that often */

    if (more || s->rx_count > 0 || s->sweeping)
        return s->now_ns;
    at = MR_MIN(at, mr_admit_next_ns(s->admit, s->now_ns));
    at = MR_MIN(at, mr_head_next_ns(s->head));
    if (s->blob_retry_ns)
        at = MR_MIN(at, s->blob_retry_ns);
    if (mr_wheel_next_ms(&s->wheel) < at / MR_MS)
        at = mr_wheel_next_ms(&s->wheel) * MR_MS;
    if (mr_fetch_next_ms(s->fetch) < at / MR_MS)
        at = mr_fetch_next_ms(s->fetch) * MR_MS;
    return at;
}

uint64_t mr_shard_turn(struct mr_shard *s, struct mr_time now, const struct mr_shard_event *events,
                       size_t n)
{
    struct mr_mail mail;
    bool more;

    s->now = now;
    s->now_ns = now.mono_ns;
    mr_buf_pool_collect(&s->pool);
    while (mr_mail_take(s->setup.mesh, s->setup.self, &mail))
        take_mail(s, &mail);
    for (size_t i = 0; i < n; i++)
        if (!is_end(&events[i]))
            take_event(s, &events[i]);
    mr_receive_rounds(s);
    /* An end comes behind what was said before it: often a Disconnect with its reason. */
    for (size_t i = 0; i < n; i++)
        if (is_end(&events[i]))
            take_event(s, &events[i]);
    mr_wheel_advance(&s->wheel, mr_shard_ms(s), mr_peer_timer, s);
    mr_fetch_advance(s->fetch, mr_shard_ms(s));
    mr_txlog_age(&s->log, s->now_ns);
    mr_transactions_resume(s);
    mr_admit_verify(s->admit, s->now_ns);
    mr_transactions_doom(s);
    mr_follow_turn(s);
    more = mr_flush(s);
    send_hints(s); /* behind the flush: it is what asks, and claims */
    mr_peer_sweep(s);
    publish_gauges(s);
    if (s->stopping && !s->stopped_told && s->live_count == 0) {
        s->stopped_told = true;
        mr_peer_tell_stopped(s);
    }
    return next_turn(s, more);
}

bool mr_shard_stopped(const struct mr_shard *s)
{
    return s->stopped_told;
}

const struct mr_shard_metrics *mr_shard_metrics(const struct mr_shard *s)
{
    return &s->metrics;
}

const struct mr_shard_histograms *mr_shard_histograms(const struct mr_shard *s)
{
    return &s->histograms;
}

const uint64_t *mr_shard_verdicts(const struct mr_shard *s)
{
    return mr_admit_verdicts(s->admit);
}
