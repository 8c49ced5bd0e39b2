/* corpus_hex FILE: the records of a corpus (length in four bytes, least first, and that many bytes)
 * as lines of hexadecimal digits. */
#include <stdio.h>
#include <stdlib.h>

#include "core/hex.h"

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    uint8_t head[4];

    if (!f)
        return 1;
    while (fread(head, 1, 4, f) == 4) {
        size_t n =
            (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        uint8_t *bytes = malloc(n + 1);
        char *text = malloc(2 * n + 1);

        if (!bytes || !text || fread(bytes, 1, n, f) != n)
            return 1;
        mr_hex_encode(text, bytes, n);
        puts(text);
        free(bytes), free(text);
    }
    fclose(f);
    return 0;
}
