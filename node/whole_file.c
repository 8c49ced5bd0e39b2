#include "node/whole_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

char *mr_whole_file_read(size_t *n, const char *flag, const char *path, char *error,
                         size_t error_cap)
{
    FILE *f = fopen(path, "re");
    char *text = f ? malloc(MR_WHOLE_FILE_MAX + 1) : NULL;
    bool read = false;

    errno = f && !text ? ENOMEM : errno;
    if (text) {
        *n = fread(text, 1, MR_WHOLE_FILE_MAX + 1, f);
        read = !ferror(f);
    }
    if (!read)
        snprintf(error, error_cap,
                 "--%s: cannot read %s: %s: check the path, and that this user may read it", flag,
                 path, strerror(errno));
    else if (*n > MR_WHOLE_FILE_MAX)
        snprintf(error, error_cap, "--%s: %s is larger than 4 MiB: is it the right file?", flag,
                 path);
    if (f)
        fclose(f);
    if (read && *n <= MR_WHOLE_FILE_MAX)
        return text;
    free(text);
    return NULL;
}
