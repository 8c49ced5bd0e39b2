/* eth_json_parts.h: transactions, headers, bodies and receipts as JSON, for eth_json.c. Fields are
 * named as geth's RPC names them. Thread: as core/json.h. */
#pragma once
#include "core/json.h"
#include "core/rlp.h"

/* Where in a message we are, so that an error can name its offset. */
struct mr_where {
    struct mr_span message;
    const uint8_t *at; /* the item being read */
};

/* Reads one item off r into *out, which the caller frees; on an error *out is NULL. */
typedef enum mr_err mr_json_of_item(struct mr_json **out, struct mr_where *w, struct mr_reader *r);

mr_json_of_item mr_json_of_tx;
mr_json_of_item mr_json_of_header;
mr_json_of_item mr_json_of_body;
mr_json_of_item mr_json_of_receipts_68; /* a block's */
mr_json_of_item mr_json_of_receipts_69; /* of eth/69 and later */
mr_json_of_item mr_json_of_access_list; /* a block's, as hex; 0x80: not held */

/* Sets key to the array of all items of r; stops at the first error, at w->at. */
enum mr_err mr_json_set_list(struct mr_json *o, const char *key, struct mr_where *w,
                             struct mr_reader *r, mr_json_of_item *item);
/* "0x0", "0x8ae": no leading zeros. */
void mr_json_set_quantity(struct mr_json *o, const char *key, const struct mr_u256 *v);
void mr_json_set_quantity_u64(struct mr_json *o, const char *key, uint64_t v);
