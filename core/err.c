#include "core/err.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base.h"

const char *mr_err_name(enum mr_err e)
{
    switch (e) {
#define MR_ERR_CASE(name, value, text)                                                             \
    case MR_##name:                                                                                \
        return #name;
        MR_ERR_MAP(MR_ERR_CASE)
#undef MR_ERR_CASE
    }
    return "?";
}

const char *mr_err_text(enum mr_err e)
{
    switch (e) {
#define MR_ERR_CASE(name, value, text)                                                             \
    case MR_##name:                                                                                \
        return text;
        MR_ERR_MAP(MR_ERR_CASE)
#undef MR_ERR_CASE
    }
    return "unknown error";
}

void mr_assert_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, what);
    abort();
}
