/* message_check.h: one function for each message, which reads it whole and keeps nothing: the
 * decoders of version.c's table. Thread: any. O(n) time, no memory. */
#pragma once
#include "net/eth/version.h"

/* Items of one answer: what geth and reth serve at most. */
#define MR_ETH_ANSWER_ITEMS_MAX 1024

mr_eth_check_function mr_check_status;
mr_eth_check_function mr_check_new_block_hashes;
mr_eth_check_function mr_check_transactions;
mr_eth_check_function mr_check_get_headers;
mr_eth_check_function mr_check_headers;
mr_eth_check_function mr_check_hash_request; /* [id, [hash, ...]] */
mr_eth_check_function mr_check_bodies;
mr_eth_check_function mr_check_new_block;
mr_eth_check_function mr_check_announce;
mr_eth_check_function mr_check_pooled;
mr_eth_check_function mr_check_get_receipts;
mr_eth_check_function mr_check_receipts;
mr_eth_check_function mr_check_range;
mr_eth_check_function mr_check_access_lists;
mr_eth_check_function mr_check_get_cells;
mr_eth_check_function mr_check_cells;
