#include "perf/load_track.h"

#include <stdlib.h>

#include "core/clock.h"

enum mr_err mr_load_track_init(struct mr_load_track *t, uint32_t peers, uint32_t txs,
                               uint32_t senders)
{
    const struct mr_histogram_options options = {.highest = MR_HISTOGRAM_HOUR_US, .digits = 3};
    enum mr_err e = MR_OK;

    memset(t, 0, sizeof *t);
    if (peers == 0 || txs == 0 || senders == 0 || senders > peers ||
        (uint64_t)peers * txs > MR_LOAD_TRACK_BYTES_MAX)
        return MR_INVALID;
    t->peers = peers;
    t->txs = txs;
    t->senders = senders;
    t->marks = calloc(peers, txs);
    t->due_ns = calloc(txs, sizeof *t->due_ns);
    t->sent_ns = calloc(txs, sizeof *t->sent_ns);
    if (!t->marks || !t->due_ns || !t->sent_ns ||
        (e = mr_histogram_init(&t->notice, &options)) != MR_OK ||
        (e = mr_histogram_init(&t->body, &options)) != MR_OK) {
        mr_load_track_fini(t);
        return MR_FULL;
    }
    return MR_OK;
}

void mr_load_track_fini(struct mr_load_track *t)
{
    free(t->marks);
    free(t->due_ns);
    free(t->sent_ns);
    mr_histogram_fini(&t->notice);
    mr_histogram_fini(&t->body);
    memset(t, 0, sizeof *t);
}

void mr_load_track_schedule(struct mr_load_track *t, uint64_t start_ns, double per_s)
{
    for (uint32_t i = 0; i < t->txs; i++)
        t->due_ns[i] = start_ns + (uint64_t)((double)i * 1e9 / per_s);
}

void mr_load_track_sent(struct mr_load_track *t, uint32_t tx, uint64_t now_ns)
{
    t->sent_ns[tx] = now_ns;
    t->sent++;
    t->late_sends_max_ns = MR_MAX(t->late_sends_max_ns, now_ns - t->due_ns[tx]);
}

static uint64_t since_due_us(const struct mr_load_track *t, uint32_t tx, uint64_t now_ns)
{
    return now_ns > t->due_ns[tx] ? (now_ns - t->due_ns[tx]) / MR_US : 0;
}

/* False for what cannot count: nobody has sent it yet, or the peer sent it itself. */
static bool counts(struct mr_load_track *t, uint32_t peer, uint32_t tx)
{
    if (t->sent_ns[tx] == 0) {
        t->before_sent++;
        return false;
    }
    if (tx % t->senders == peer) {
        t->sent_back++;
        return false;
    }
    return true;
}

static void notice(struct mr_load_track *t, uint8_t mark, uint32_t tx, uint64_t now_ns)
{
    if (mark & (MR_LOAD_ANNOUNCED | MR_LOAD_HAS))
        return;
    t->noticed++;
    mr_histogram_record(&t->notice, since_due_us(t, tx, now_ns));
}

bool mr_load_track_announced(struct mr_load_track *t, uint32_t peer, uint32_t tx, uint64_t now_ns)
{
    uint8_t *mark = mr_load_mark(t, peer, tx);

    if (!counts(t, peer, tx))
        return false;
    notice(t, *mark, tx, now_ns);
    if (*mark & MR_LOAD_ANNOUNCED) {
        t->twice_announced++;
        return false;
    }
    *mark |= MR_LOAD_ANNOUNCED;
    if (*mark & MR_LOAD_HAS) {
        t->announced_to_owner++;
        return false;
    }
    *mark |= MR_LOAD_WANTED;
    return true;
}

void mr_load_track_body(struct mr_load_track *t, uint32_t peer, uint32_t tx, bool asked,
                        uint64_t now_ns)
{
    uint8_t *mark = mr_load_mark(t, peer, tx);

    if (!counts(t, peer, tx))
        return;
    if (*mark & MR_LOAD_HAS) {
        t->twice_in_full++;
        return;
    }
    if (!asked && (*mark & MR_LOAD_ANNOUNCED))
        t->in_full_announced++;
    notice(t, *mark, tx, now_ns);
    *mark |= MR_LOAD_HAS;
    t->delivered++;
    mr_histogram_record(&t->body, since_due_us(t, tx, now_ns));
}

uint64_t mr_load_track_expected(const struct mr_load_track *t, uint32_t peers_counted,
                                uint64_t end_ns)
{
    uint64_t low = 0, high = t->txs; /* due times rise */

    while (low < high) {
        uint64_t middle = (low + high) / 2;

        if (t->due_ns[middle] < end_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return peers_counted > 0 ? low * (peers_counted - 1) : 0;
}
