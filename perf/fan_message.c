#include "perf/fan_message.h"

#include "perf/fan_wire.h"

#define BENCH_MESSAGE 0

static const struct mr_protocol bench = {.capability = {.name = "bench", .version = 1},
                                         .ids_count = 4};

bool mr_fan_say_hello(struct mr_fan *f, struct mr_fan_peer *p)
{
    if (!mr_load_link_hello(&p->link, "millrace-fan/v" MR_VERSION, &bench.capability, 1)) {
        mr_fan_fail(f, "out of memory");
        return false;
    }
    mr_fan_dirty(f, p);
    return true;
}

static void on_hello(struct mr_fan *f, struct mr_fan_peer *p, struct mr_span payload)
{
    enum mr_p2p_fault fault = mr_load_link_on_hello(&p->link, &f->o->target.id, payload, &bench, 1);

    if (fault) {
        mr_fan_fail(f, "connection %u: the hub's Hello: %s", p->index, mr_p2p_fault_text(fault));
        return;
    }
    if (!p->link.transport.snappy) {
        mr_fan_fail(f, "the hub does not compress: its Hello is of an older version");
        return;
    }
    p->state = MR_FAN_ACTIVE;
    f->active++;
    f->connect_end_ns = f->now.mono_ns;
}

static void send_pong(struct mr_fan *f, struct mr_fan_peer *p)
{
    static const uint8_t empty_list = 0xc0;

    f->counts.pings++;
    if (!mr_load_link_send(&p->link, MR_BASE_PONG, mr_span(&empty_list, 1)))
        mr_fan_fail(f, "out of memory");
    mr_fan_dirty(f, p);
}

static void on_base(struct mr_fan *f, struct mr_fan_peer *p, const struct mr_message *m, bool whole)
{
    uint8_t room[MR_BASE_MESSAGE_MAX];
    struct mr_span payload;

    if (m->id == MR_BASE_PING) {
        send_pong(f, p);
    } else if (m->id == MR_BASE_HELLO && whole) {
        on_hello(f, p, m->raw);
    } else if (m->id == MR_BASE_DISCONNECT && whole &&
               mr_transport_payload(&payload, m, room, sizeof room) == MR_P2P_NONE) {
        mr_fan_fail(f, "connection %u: the hub disconnects: %s", p->index,
                    mr_reason_text(mr_disconnect_decode(payload)));
    }
}

/* Whether the message is what was published under that name, to its last byte. */
static bool content_is_right(struct mr_fan *f, const struct mr_message *m, uint64_t tag)
{
    struct mr_span payload;
    const uint32_t tag_at = f->payload.tag_at, rest = tag_at + MR_FAN_TAG_BYTES;

    return mr_transport_payload(&payload, m, f->inflated, f->o->bytes) == MR_P2P_NONE &&
           mr_load_be64(payload.p + tag_at) == tag &&
           memcmp(payload.p, f->payload.p, tag_at) == 0 &&
           memcmp(payload.p + rest, f->payload.p + rest, payload.n - rest) == 0;
}

static void on_message(struct mr_fan *f, struct mr_fan_peer *p, uint32_t size,
                       const struct mr_message *m)
{
    uint64_t tag;

    if (p->index == MR_FAN_PUBLISHER) {
        f->track.returned++;
        return;
    }
    f->counts.frames_in++;
    f->counts.frame_bytes += size;
    f->progress_ns = f->now.mono_ns;
    if (m->inflated_n != f->o->bytes || !mr_fan_payload_peek(&tag, m->raw, f->o->bytes) ||
        (p->checks && !content_is_right(f, m, tag)))
        f->track.damaged++;
    else
        mr_fan_track_delivered(&f->track, p->index - 1, tag, f->now.mono_ns);
}

void mr_fan_frame(struct mr_fan *f, struct mr_fan_peer *p, uint32_t size, struct mr_span data,
                  bool whole)
{
    struct mr_message m;
    enum mr_p2p_fault fault = mr_transport_open(&m, &p->link.transport, data);

    if (fault)
        mr_fan_fail(f, "connection %u: %s", p->index, mr_p2p_fault_text(fault));
    else if (m.capability == MR_CAPABILITY_BASE)
        on_base(f, p, &m, whole);
    else if (m.id == BENCH_MESSAGE)
        on_message(f, p, size, &m);
    else
        f->counts.others++;
}

void mr_fan_publish(struct mr_fan *f, uint64_t begin_ns)
{
    struct mr_fan_peer *p = &f->peers[MR_FAN_PUBLISHER];

    mr_fan_payload_select(&f->payload, f->track.published);
    if (!mr_load_link_send_compressed(&p->link,
                                      mr_capabilities_wire_id(&p->link.shared, 0, BENCH_MESSAGE),
                                      mr_span(f->payload.p, f->payload.n))) {
        mr_fan_fail(f, "out of memory");
        return;
    }
    mr_fan_track_published(&f->track, begin_ns);
    mr_fan_dirty(f, p);
}
