/* dispatcher_metrics.h: the counters of the dispatcher and of its loop, in the style of metrics.h:
 * one writer (the dispatcher's thread), read relaxed by anybody. */
#pragma once
#include "core/metrics.h"
#include "net/rlpx/base_protocol.h"

/* Every way in which a connection ends before it is a session: ROW(X, NAME, name, reason sent,
 * sentence). MR_END_SILENTLY: nothing is sent, or nothing can be, since no keys are agreed. */
#define MR_END_SILENTLY (-1)
#define MR_END_MAP(ROW, X)                                                                         \
    ROW(X, REMOTE_CLOSED, remote_closed, MR_END_SILENTLY, "remote closed the connection")          \
    ROW(X, BROKEN, broken, MR_END_SILENTLY, "connection broke")                                    \
    ROW(X, DIAL_FAILED, dial_failed, MR_END_SILENTLY, "connection could not be made")              \
    ROW(X, LATE, late, MR_REASON_TIMEOUT, "handshake not finished in its time")                    \
    ROW(X, PACKET_BIG, packet_big, MR_END_SILENTLY, "handshake packet over 2 KiB")                 \
    ROW(X, PACKET_SMALL, packet_small, MR_END_SILENTLY, "handshake packet too small")              \
    ROW(X, PACKET_PLAIN, packet_plain, MR_END_SILENTLY, "handshake packet of before EIP-8")        \
    ROW(X, PACKET_ECIES, packet_ecies, MR_END_SILENTLY, "handshake packet does not open")          \
    ROW(X, PACKET_BODY, packet_body, MR_END_SILENTLY, "handshake packet's list malformed")         \
    ROW(X, PACKET_KEY, packet_key, MR_END_SILENTLY, "key in a handshake packet is no point")       \
    ROW(X, PACKET_SIGNATURE, packet_signature, MR_END_SILENTLY, "signature recovers no key")       \
    ROW(X, LIBRARY, library, MR_END_SILENTLY, "cryptographic library failed")                      \
    ROW(X, MAC, mac, MR_END_SILENTLY, "first frame with a wrong MAC")                              \
    ROW(X, FRAME, frame, MR_REASON_PROTOCOL, "first frame with a forbidden header")                \
    ROW(X, HELLO_BIG, hello_big, MR_REASON_PROTOCOL, "first frame over 2 KiB")                     \
    ROW(X, NOT_HELLO, not_hello, MR_REASON_PROTOCOL, "first message is not Hello")                 \
    ROW(X, HELLO_MALFORMED, hello_malformed, MR_REASON_PROTOCOL, "Hello malformed")                \
    ROW(X, NULL_ID, null_id, MR_REASON_NULL_IDENTITY, "null or invalid node id")                   \
    ROW(X, OTHER_ID, other_id, MR_REASON_UNEXPECTED_IDENTITY,                                      \
        "node id in Hello is not the authenticated one")                                           \
    ROW(X, OWN_ID, own_id, MR_REASON_SELF, "connected to ourselves")                               \
    ROW(X, OLD_VERSION, old_version, MR_REASON_INCOMPATIBLE, "base protocol below version 5")      \
    ROW(X, USELESS, useless, MR_REASON_USELESS, "no shared capability")                            \
    ROW(X, FULL, full, MR_REASON_TOO_MANY_PEERS, "as many peers as we may have")                   \
    ROW(X, FULL_EARLY, full_early, MR_END_SILENTLY, "full, and no CPU time to say so politely")    \
    ROW(X, SHARD_FULL, shard_full, MR_REASON_TOO_MANY_PEERS, "no slot on its shard")               \
    ROW(X, DUPLICATE, duplicate, MR_REASON_ALREADY_CONNECTED, "two sessions of this id already")   \
    ROW(X, DISCONNECTED, disconnected, MR_END_SILENTLY, "remote sent Disconnect, not Hello")       \
    ROW(X, SHUTDOWN, shutdown, MR_REASON_QUITTING, "we shut down")

enum mr_end {
    MR_END_NONE,
#define MR_END_ENUM(X, NAME, name, reason, text) MR_END_##NAME,
    MR_END_MAP(MR_END_ENUM, )
#undef MR_END_ENUM
        MR_END_COUNT
};
const char *mr_end_text(enum mr_end e);
int mr_end_reason(enum mr_end e); /* enum mr_reason, or MR_END_SILENTLY */

#define MR_END_METRIC(X, NAME, name, reason, text) X(end_##name, text)

/* X(name, help). The end_ counters stand in the order of enum mr_end. */
#define MR_DISPATCHER_METRICS(X)                                                                   \
    X(dispatcher_turns, "turns of the dispatcher")                                                 \
    X(accepted, "inbound connections taken")                                                       \
    X(refused_full, "inbound connections closed at once: full")                                    \
    X(refused_address_pending, "inbound connections closed at once: too many of their address")    \
    X(refused_address_throttle, "inbound connections closed at once: their address came lately")   \
    X(refused_no_slot, "inbound connections closed at once: all pending slots taken")              \
    X(refused_stopping, "inbound connections closed at once: we shut down")                        \
    X(address_evicted, "addresses forgotten for room while they were still throttled")             \
    X(accept_paused, "times that accepting paused for want of pending slots")                      \
    X(dials, "outbound connections begun")                                                         \
    X(dials_connected, "outbound connections made")                                                \
    X(peeks, "handshakes opened to see who begins them")                                           \
    X(answers, "handshakes answered")                                                              \
    X(budget_waits, "handshakes that had to wait for CPU budget")                                  \
    X(handshakes_inbound, "inbound handshakes done")                                               \
    X(handshakes_outbound, "outbound handshakes done")                                             \
    X(handover_waits, "sessions that had to wait for a hand-over object")                          \
    X(third_waits, "third sessions of one identity that waited for an end")                        \
    X(sessions_begun, "sessions handed to shards")                                                 \
    X(sessions_second, "of these, second ones of their identity")                                  \
    X(sessions_agreed, "sessions whose Status agreed")                                             \
    X(sessions_ended, "sessions that shards ended")                                                \
    X(hello_disconnect_out, "Disconnect messages sent before there was a session")                 \
    X(hello_disconnect_in, "Disconnect messages received in place of Hello")                       \
    X(dispatcher_wakes, "wake-ups sent to shards")                                                 \
    MR_END_MAP(MR_END_METRIC, X)                                                                   \
    X(pending, "connections that are not sessions yet", GAUGE)                                     \
    X(pending_inbound, "of these, inbound ones", GAUGE)                                            \
    X(pending_peak, "most connections pending at once", PEAK)                                      \
    X(pending_slot_bytes, "own memory of one pending connection", PEAK)                            \
    X(budget_waiting, "handshakes that wait for CPU budget", GAUGE)                                \
    X(sessions, "sessions handed over and not ended", GAUGE)                                       \
    X(sessions_counted, "of these, ones that count against maxpeers", GAUGE)                       \
    X(sessions_counted_peak, "most of these at once", PEAK)                                        \
    X(sessions_inbound, "sessions that the remote began", GAUGE)                                   \
    X(sessions_active, "sessions whose Status agreed", GAUGE)                                      \
    X(listed_nodes, "static and trusted nodes", GAUGE)                                             \
    X(listed_absent, "of these, ones without a session", GAUGE)

MR_METRICS_DECLARE(mr_dispatcher_metrics, MR_DISPATCHER_METRICS)

#define MR_DISPATCH_LOOP_METRICS(X)                                                                \
    X(loop_turns, "turns of the dispatcher's loop")                                                \
    X(accept_emfile, "times that accepting found no descriptor left")                              \
    X(accept_emfile_closed, "connections accepted with the reserve descriptor and closed")         \
    X(accept_failed, "accepts that failed otherwise")                                              \
    X(accept_parked, "accepted connections that had to wait for a pending slot")                   \
    X(accept_overflow, "accepted connections closed because too many waited")                      \
    X(stale_completions, "completions of earlier users of a slot")                                 \
    X(operations_refused, "operations that the kernel took no more of")                            \
    X(wake_failures, "wake-ups that did not arrive")

MR_METRICS_DECLARE(mr_dispatch_loop_metrics, MR_DISPATCH_LOOP_METRICS)
