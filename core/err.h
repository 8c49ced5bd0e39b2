/* err.h: what the world may do to us, as values. What only we can break is an assert (base.h). */
#pragma once

/* X(name, value, sentence) */
#define MR_ERR_MAP(X)                                                                              \
    X(OK, 0, "success")                                                                            \
    X(SHORT, -1, "input ends before the value")                                                    \
    X(MALFORMED, -2, "encoding rule broken")                                                       \
    X(TOO_BIG, -3, "over a stated limit")                                                          \
    X(FULL, -4, "queue, pool or output is full")                                                   \
    X(INVALID, -5, "well formed, but breaks a rule")                                               \
    X(UNSUPPORTED, -6, "known, but not supported here")                                            \
    X(AUTH, -7, "authentication failed (MAC, signature or key)")                                   \
    X(NOT_FOUND, -8, "no such entry")                                                              \
    X(EXISTS, -9, "already there")                                                                 \
    X(AGAIN, -10, "not now")                                                                       \
    X(SYSTEM, -11, "the operating system refused; errno tells")

enum mr_err {
#define MR_ERR_ENUM(name, value, text) MR_##name = value,
    MR_ERR_MAP(MR_ERR_ENUM)
#undef MR_ERR_ENUM
};

const char *mr_err_name(enum mr_err e); /* "MALFORMED" */
const char *mr_err_text(enum mr_err e); /* "encoding rule broken" */
