#include "node/flags.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct mr_flag *find(const struct mr_flag *flags, size_t n, const char *name,
                                  size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(flags[i].name) == len && memcmp(flags[i].name, name, len) == 0)
            return &flags[i];
    return NULL;
}

static bool number(uint64_t *out, const char *text, uint64_t max)
{
    char *end;

    errno = 0;
    if (text[0] < '0' || text[0] > '9')
        return false;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == 0 && *out <= max;
}

static bool set(const struct mr_flag *f, const char *text, char *error, size_t error_cap)
{
    uint64_t v;

    switch (f->kind) {
    case MR_FLAG_TEXT:
        *(const char **)f->value = text;
        break;
    case MR_FLAG_BOOL:
        *(bool *)f->value = strcmp(text, "false") != 0;
        if (strcmp(text, "true") && strcmp(text, "false")) {
            snprintf(error, error_cap, "--%s takes true or false, not \"%s\"", f->name, text);
            return false;
        }
        break;
    case MR_FLAG_U32:
    case MR_FLAG_U64:
        if (!number(&v, text, f->kind == MR_FLAG_U32 ? UINT32_MAX : UINT64_MAX)) {
            snprintf(error, error_cap, "--%s takes a whole number, not \"%s\"", f->name, text);
            return false;
        }
        if (f->kind == MR_FLAG_U32)
            *(uint32_t *)f->value = (uint32_t)v;
        else
            *(uint64_t *)f->value = v;
        break;
    }
    if (f->given)
        *f->given = true;
    return true;
}

bool mr_flags_parse(const struct mr_flag *flags, size_t flags_count, int argc, char **argv,
                    const char **rest, size_t *rest_count, size_t rest_max, char *error,
                    size_t error_cap)
{
    bool only_words = false;

    *rest_count = 0;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *equals;
        const struct mr_flag *f;

        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
            continue;
        }
        if (only_words || word[0] != '-' || word[1] == 0) {
            if (*rest_count == rest_max) {
                snprintf(error, error_cap, "unexpected argument \"%s\": see --help", word);
                return false;
            }
            rest[(*rest_count)++] = word;
            continue;
        }
        word += word[1] == '-' ? 2 : 1; /* geth takes one dash as well */
        equals = strchr(word, '=');
        f = find(flags, flags_count, word, equals ? (size_t)(equals - word) : strlen(word));
        if (!f) {
            snprintf(error, error_cap, "unknown flag \"%s\": see --help", argv[i]);
            return false;
        }
        if (!equals && f->kind != MR_FLAG_BOOL && i + 1 == argc) {
            snprintf(error, error_cap, "--%s needs a value: see --help", f->name);
            return false;
        }
        if (!set(f,
                 equals                    ? equals + 1
                 : f->kind == MR_FLAG_BOOL ? "true"
                                           : argv[++i],
                 error, error_cap))
            return false;
    }
    return true;
}

void mr_flags_help(const struct mr_flag *flags, size_t flags_count)
{
    for (size_t i = 0; i < flags_count; i++) {
        char left[64];

        snprintf(left, sizeof left, "--%s %s", flags[i].name,
                 flags[i].argument ? flags[i].argument : "");
        printf("  %-30s %s\n", left, flags[i].help);
    }
}
