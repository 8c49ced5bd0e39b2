/* Whatever text is accepted reads the same after being written and read again. */
#include <stdlib.h>

#include "core/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mr_json_error err = {.line = -1};
    struct mr_json *j = mr_json_parse(&err, (const char *)data, size), *again;
    char *text, *text_again;
    size_t n;

    if (!j) {
        MR_ASSERT(err.line >= 0 && err.offset <= size);
        MR_ASSERT(err.text[0] != '\0');
        return 0;
    }
    MR_ASSERT(err.line == -1);
    text = mr_json_dump(j, &n);
    again = mr_json_parse(NULL, text, n);
    MR_ASSERT(again);
    text_again = mr_json_dump(again, NULL);
    MR_ASSERT(strcmp(text, text_again) == 0);
    free(text);
    free(text_again);
    mr_json_free(again);
    mr_json_free(j);
    return 0;
}
