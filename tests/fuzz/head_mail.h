/* head_mail.h: mail between the shards of fuzz_head.c, in order from one shard to another, as long
 * as there is room. */
#pragma once
#include "shards/head.h"

#define MAIL_MAX 24

enum mail_kind { MAIL_ASK, MAIL_VOICE, MAIL_RUN };

struct mail {
    enum mail_kind kind;
    unsigned shard; /* which is not 0: shard 0 is at the other end */
    struct mr_head_ask ask;
    struct mr_head_voice voice;
    size_t n;
    uint8_t bytes[MR_HEAD_RUN_MAX]; /* headers of a voice or a run */
};

static struct mail mails[MAIL_MAX]; /* the oldest first */
static unsigned mails_count;

static bool mail_put(enum mail_kind kind, unsigned shard, const struct mr_head_ask *ask,
                     const struct mr_head_voice *voice, struct mr_span bytes)
{
    struct mail *m = &mails[mails_count];

    if (mails_count == MAIL_MAX)
        return false; /* lost */
    m->kind = kind;
    m->shard = shard;
    if (ask)
        m->ask = *ask;
    if (voice)
        m->voice = *voice;
    MR_ASSERT(bytes.n <= sizeof m->bytes);
    if (bytes.n > 0)
        memcpy(m->bytes, bytes.p, bytes.n);
    m->n = bytes.n;
    mails_count++;
    return true;
}

/* Takes the oldest mail from a shard to shard 0, or to it; false: none. */
static bool mail_take(struct mail *out, unsigned shard, bool up)
{
    for (unsigned i = 0; i < mails_count; i++) {
        if (mails[i].shard != shard || (mails[i].kind == MAIL_VOICE) != up)
            continue;
        *out = mails[i];
        out->voice.headers = mr_span(out->bytes, out->n);
        for (mails_count--; i < mails_count; i++)
            mails[i] = mails[i + 1];
        return true;
    }
    return false;
}
