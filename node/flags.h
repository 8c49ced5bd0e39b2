/* flags.h: command-line flags: one table row each, --name value or --name=value. A mistake is one
 * sentence that names the flag. Thread: main. Values point into argv. */
#pragma once
#include "core/base.h"

enum mr_flag_kind { MR_FLAG_TEXT, MR_FLAG_U32, MR_FLAG_U64, MR_FLAG_BOOL };

struct mr_flag {
    const char *name; /* without dashes */
    enum mr_flag_kind kind;
    void *value; /* const char **, uint32_t *, uint64_t * or bool * */
    const char *argument, *help;
    bool *given; /* may be NULL */
};

/* Parses argv[1..]: flags of the table anywhere, other words into rest (at most rest_max). False:
 * error holds the sentence. "--" ends the flags; "-" is a word. */
bool mr_flags_parse(const struct mr_flag *flags, size_t flags_count, int argc, char **argv,
                    const char **rest, size_t *rest_count, size_t rest_max, char *error,
                    size_t error_cap);
void mr_flags_help(const struct mr_flag *flags, size_t flags_count);
