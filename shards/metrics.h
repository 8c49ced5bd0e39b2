/* metrics.h: the counters of shards and dispatcher: one list each, one writer each (the owning
 * thread), read relaxed by anybody. Names: noun_what[_unit]. */
#pragma once
#include "core/metrics.h"

/* X(name, help) */
#define MR_SHARD_METRICS(X)                                                                        \
    X(turns, "turns of the shard's loop")                                                          \
    X(bytes_in, "bytes received from peers")                                                       \
    X(bytes_out, "bytes given to the kernel for peers")                                            \
    X(frames_in, "frames whose MAC held")                                                          \
    X(frames_out, "frames sealed")                                                                 \
    X(sends, "send operations")                                                                    \
    X(turns_cut, "turns that ended on a budget of sealed bytes or sends, with peers left")         \
    X(send_bytes_full, "turns that ended because all memory for sends was in flight")              \
    X(peers_adopted, "sessions handed over by the dispatcher")                                     \
    X(peers_closed, "sessions ended")                                                              \
    X(peers_duplicate, "sessions ended by the two-session rule")                                   \
    X(status_ok, "Status messages that agreed with ours")                                          \
    X(status_bad_network, "Status with another network id")                                        \
    X(status_bad_genesis, "Status with another genesis")                                           \
    X(status_bad_fork, "Status with an incompatible fork id")                                      \
    X(status_bad_shape, "Status malformed, twice, or with an impossible range")                    \
    X(status_late, "no Status within its time")                                                    \
    X(frame_mac_bad, "frames with a wrong MAC")                                                    \
    X(frame_malformed, "frames with a forbidden header")                                           \
    X(frame_too_big, "frames or messages over their limit")                                        \
    X(frame_late, "frames not complete within their time")                                         \
    X(snappy_bad, "messages that do not inflate")                                                  \
    X(message_unknown, "message ids that nobody agreed on")                                        \
    X(message_malformed, "messages whose RLP breaks a rule")                                       \
    X(block_gossip, "NewBlock and NewBlockHashes on proof-of-work networks, ignored")              \
    X(message_early, "messages before Status")                                                     \
    X(ping_in, "pings received")                                                                   \
    X(ping_flood, "peers closed for too many pings")                                               \
    X(ping_out, "pings sent")                                                                      \
    X(silent_peers, "peers gone silent")                                                           \
    X(slow_readers, "peers closed because they did not read")                                      \
    X(disconnect_in, "Disconnect messages received")                                               \
    X(disconnect_out, "Disconnect messages sent")                                                  \
    X(gather_full, "peers closed because the pool for large frames was empty")                     \
    X(control_full, "control messages that found their 16 slots taken")                            \
    X(receive_paused, "times that a peer's receive was paused")                                    \
    X(tx_in, "transactions received in full")                                                      \
    X(tx_duplicate, "of these, already known")                                                     \
    X(tx_duplicate_in_message, "peers closed for one transaction twice in a message")              \
    X(tx_malformed, "transactions that do not decode")                                             \
    X(tx_invalid, "transactions that break a rule")                                                \
    X(tx_refused_before, "transactions refused earlier")                                           \
    X(tx_sender_bad, "transactions whose signature recovers nobody")                               \
    X(tx_recoveries, "signature recoveries")                                                       \
    X(tx_accepted, "transactions accepted here")                                                   \
    X(tx_from_shards, "transactions accepted from other shards")                                   \
    X(tx_over_sender_rate, "transactions of senders over their rate (doubtful)")                   \
    X(tx_under_base_fee,                                                                           \
      "transactions whose fee cap is below the base fee (doubtful), or below 7 wei")               \
    X(tx_doubtful_dropped, "doubtful transactions beyond the node's allowance")                    \
    X(tx_replacement_low, "same nonce without enough more fee")                                    \
    X(tx_replacement_fast, "same nonce too often")                                                 \
    X(tx_gas_over_block, "gas above the head's gas limit")                                         \
    X(tx_pool_share, "transactions beyond their peer's share of the pool")                         \
    X(tx_pool_full, "transactions that found no memory")                                           \
    X(tx_blob_in_broadcast, "peers closed for a blob transaction in Transactions")                 \
    X(blob_bad, "blob transactions with a wrong sidecar")                                          \
    X(blob_waits, "messages that waited for the proofs of earlier blob transactions")              \
    X(blob_ok, "blob transactions whose proofs held")                                              \
    X(blob_unready, "blob transactions met before the trusted setup was loaded")                   \
    X(verify_full, "times that the verify queue was full")                                         \
    X(log_evicted, "bodies that left by bytes")                                                    \
    X(log_evicted_young, "bodies that left younger than they should")                              \
    X(log_overrun, "transactions that a peer missed because it fell behind the log")               \
    X(bodies_out, "transactions sent in full in Transactions")                                     \
    X(announced_out, "transactions announced")                                                     \
    X(announced_in, "hashes announced to us")                                                      \
    X(announced_known, "of these, those judged before or held")                                    \
    X(announced_unknown_type, "announced hashes ignored: of a type that there is not")             \
    X(announced_over_limit, "announced hashes ignored: over the peer's limit")                     \
    X(announced_cut, "announced hashes ignored: behind the 4,096th of a message")                  \
    X(announced_table_full, "announced hashes ignored: table full")                                \
    X(announced_fourth_variant, "announced hashes with a fourth (type, size): not compared")       \
    X(announced_bad_shape, "announcements malformed")                                              \
    X(announced_wrong, "peers closed for a wrong announced type or size")                          \
    X(fetch_requests, "GetPooledTransactions sent")                                                \
    X(fetch_answers, "PooledTransactions that answered us")                                        \
    X(fetch_timeouts, "GetPooledTransactions without answer in time")                              \
    X(fetch_late, "answers after their time")                                                      \
    X(fetch_unasked, "peers closed for an answer nobody asked for")                                \
    X(fetch_gave_up, "announced hashes that no source delivered")                                  \
    X(claims_out, "claims sent to other shards")                                                   \
    X(claims_in, "claims received")                                                                \
    X(claims_lost, "claims that found their queue full")                                           \
    X(serve_pooled, "GetPooledTransactions answered")                                              \
    X(serve_pooled_items, "transactions in these answers")                                         \
    X(serve_headers, "GetBlockHeaders answered")                                                   \
    X(serve_empty, "requests answered with nothing")                                               \
    X(blob_untold, "blob transactions that a peer was not told of while they were young")          \
    X(blob_upload_wait, "times that blob announcements waited for the upload budget")              \
    X(blob_upload_refused,                                                                         \
      "blob transactions left out of answers: not announced lately, over the budget")              \
    X(head_advanced, "times that the head moved")                                                  \
    X(head_bad, "BlockHeaders answers that were refused")                                          \
    X(head_rounds, "rounds in which peers were asked for the head")                                \
    X(head_rounds_stale, "of these, ended without enough peers that know our head")                \
    X(head_voices_ignored, "answers about the head that came too late, or twice of a network")     \
    X(head_headers_ahead, "headers left out: over 15 s ahead of our clock")                        \
    X(head_mail_lost, "mail between shards about the head that found no room")                     \
    X(range_bad, "BlockRangeUpdate of a range that cannot be")                                     \
    X(mail_tx_blocked, "times that another shard's queue was full")                                \
    X(mail_wakes, "wake-ups sent to other threads")                                                \
    X(keccak_permutations_1, "keccak permutations one lane wide")                                  \
    X(keccak_permutations_4, "keccak permutations four lanes wide")                                \
    X(keccak_permutations_8, "keccak permutations eight lanes wide")                               \
    X(keccak_lanes_1, "lanes that carried work in permutations one lane wide")                     \
    X(keccak_lanes_4, "lanes that carried work in permutations four lanes wide")                   \
    X(keccak_lanes_8, "lanes that carried work in permutations eight lanes wide")                  \
    X(seen_evicted, "remembered hashes that gave way to newer ones")                               \
    X(seen_full, "hashes that found no room to be remembered")                                     \
    X(buffers_failed, "buffers asked for and not had")                                             \
    X(peers, "sessions with Status agreed", GAUGE)                                                 \
    X(peers_waiting, "sessions whose Status has not come", GAUGE)                                  \
    X(log_length, "transactions in the log (of one shard: all hold the same)", PEAK)               \
    X(bodies_bytes, "bytes of bodies in the log (of one shard)", PEAK)                             \
    X(blob_bytes, "bytes of blob transactions in the log (of one shard)", PEAK)                    \
    X(verify_length, "transactions waiting for their signature check", GAUGE)                      \
    X(fetch_length, "hashes being fetched", GAUGE)                                                 \
    X(fetch_announced, "announced and unfetched hashes, over all peers", GAUGE)                    \
    X(gather_bytes, "bytes of large frames being received", GAUGE)                                 \
    X(send_bytes, "bytes of sends in flight", GAUGE)                                               \
    X(buffers_bytes, "bytes of buffers in use", GAUGE)                                             \
    X(head_number, "number of the head, 0 without one", PEAK)                                      \
    X(tick, "advances every second at least", GAUGE)

MR_METRICS_DECLARE(mr_shard_metrics, MR_SHARD_METRICS)
