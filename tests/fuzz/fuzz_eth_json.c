/* A message is shown exactly if the decoders take it, as JSON that reads back; otherwise the error
 * stands at a byte of it. The first two bytes are version and id as for fuzz_message. */
#include <stdlib.h>

#include "net/eth/eth_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_json *shown, *again;
    enum mr_err error, checked;
    size_t offset = SIZE_MAX, n;
    struct mr_span message;
    unsigned version;
    bool legacy;
    char *text;

    if (size < 2)
        return 0;
    version = MR_ETH_VERSION_MIN + (data[0] & 0x7f) % 5;
    legacy = data[0] >> 7;
    message = mr_span(data + 2, size - 2);
    checked = mr_eth_message_check(version, data[1], legacy, message);
    shown = mr_eth_json(&error, &offset, version, data[1], legacy, message);
    MR_ASSERT(error == checked);
    MR_ASSERT((shown != NULL) == (checked == MR_OK));
    MR_ASSERT(offset <= message.n);
    if (shown == NULL)
        return 0;
    text = mr_json_dump(shown, &n);
    again = mr_json_parse(NULL, text, n);
    MR_ASSERT(again != NULL);
    mr_json_free(again);
    free(text);
    mr_json_free(shown);
    return 0;
}
