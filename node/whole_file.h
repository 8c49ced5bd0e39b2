/* whole_file.h: a file that a flag names, read whole. Thread: main. */
#pragma once
#include "core/base.h"

#define MR_WHOLE_FILE_MAX (4u << 20)

/* Returns memory that the caller frees, *n bytes of it the file's. NULL: error holds a sentence
 * that names flag (without dashes) and file, and says what to do. */
char *mr_whole_file_read(size_t *n, const char *flag, const char *path, char *error,
                         size_t error_cap);
