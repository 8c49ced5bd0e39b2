/* log.h: one line of logfmt per event, to standard error or a file.
 *
 *     MR_LOG_INFO("peer up", mr_log_str("client", name, name_len), mr_log_u64("peers", n));
 *     t=2026-11-20T19:24:11.123Z lvl=info msg="peer up" client="Geth/v1.17.5" peers=12
 *
 * For changes of state (a peer up or down with its reason, configuration, overload), never per
 * message. Every call site may write a limited number of lines a second; what is held back is
 * counted, and said on its next line or by mr_log_tick.
 * Values come from strangers: control characters, quotes, backslashes, direction marks and other
 * invisible characters and invalid UTF-8 are escaped, and a value ends after 128 characters.
 *
 * Thread: any, except open, close, tick and reopen (the main thread). A line is one write(2), and
 * is lost (counted) when it cannot be written at once: a pipe that is full holds up no thread.
 * Memory: none allocated; a line is built on the stack. */
#pragma once
#include "core/base.h"

/* The numbers of --verbosity. */
enum mr_log_level {
    MR_LOG_LEVEL_SILENT = 0,
    MR_LOG_LEVEL_ERROR = 1,
    MR_LOG_LEVEL_WARN = 2,
    MR_LOG_LEVEL_INFO = 3,
    MR_LOG_LEVEL_DEBUG = 4,
    MR_LOG_LEVEL_TRACE = 5
};

#define MR_LOG_VALUE_MAX 128 /* characters of a value, escapes counted as written */
#define MR_LOG_LINE_MAX                                                                            \
    2048 /* bytes of a line; fields that do not fit are left out, and it says so */

struct mr_log_options {
    enum mr_log_level level;   /* lines above it are not written */
    const char *path;          /* NULL: standard error; else appended to, created 0640 */
    uint32_t lines_per_second; /* of one call site; 0: no limit */
};

/* Starts logging. Before it, errors, warnings and infos go to standard error, 10 a second and site.
 * MR_SYSTEM when the file cannot be opened (errno tells); MR_TOO_BIG when path is over 4,000 bytes.
 */
enum mr_err mr_log_open(const struct mr_log_options *options);
/* For SIGHUP: opens the path again and puts it in place of the old file, without a line lost.
 * MR_SYSTEM: the old file goes on. Does nothing for standard error. */
enum mr_err mr_log_reopen(void);
/* Says what is still held back, and goes back to the state before mr_log_open. */
void mr_log_close(void);
/* To be called about once a second: says what was held back at sites that have fallen silent. */
void mr_log_tick(void);

/* Any thread. */
void mr_log_set_level(enum mr_log_level level);
enum mr_log_level mr_log_get_level(void);
/* Any thread: lines held back by rate, and lines that could not be written, since the start. */
uint64_t mr_log_suppressed(void);
uint64_t mr_log_failed(void);

/* ---- fields: a key (a literal, letters and _) and a value, which is borrowed for the call ---- */

enum mr_log_kind { MR_LOG_NONE, MR_LOG_STR, MR_LOG_U64, MR_LOG_I64, MR_LOG_HEX };

struct mr_log_field {
    const char *key;
    enum mr_log_kind kind;
    uint64_t number; /* MR_LOG_U64, MR_LOG_I64 */
    struct mr_span bytes;
};

static inline struct mr_log_field mr_log_str(const char *key, const char *s, size_t n)
{
    return (struct mr_log_field){.key = key, .kind = MR_LOG_STR, .bytes = mr_span(s, n)};
}
/* NUL-terminated; NULL is written as "". */
static inline struct mr_log_field mr_log_text(const char *key, const char *s)
{
    return mr_log_str(key, s, s ? strlen(s) : 0);
}
static inline struct mr_log_field mr_log_u64(const char *key, uint64_t v)
{
    return (struct mr_log_field){.key = key, .kind = MR_LOG_U64, .number = v};
}
static inline struct mr_log_field mr_log_i64(const char *key, int64_t v)
{
    return (struct mr_log_field){.key = key, .kind = MR_LOG_I64, .number = (uint64_t)v};
}
/* "0x" and the digits, cut like every value. */
static inline struct mr_log_field mr_log_hex(const char *key, const void *p, size_t n)
{
    return (struct mr_log_field){.key = key, .kind = MR_LOG_HEX, .bytes = mr_span(p, n)};
}
static inline struct mr_log_field mr_log_err(const char *key, enum mr_err e)
{
    return mr_log_text(key, mr_err_text(e));
}

/* ---- writing ---- */

/* One call site: its rate, and its place in the list that mr_log_tick walks. */
struct mr_log_site {
    const char *file;
    int line;
    enum mr_log_level level;
    uint64_t window_s;
    uint32_t lines;
    uint32_t suppressed;
    uint32_t listed;
    struct mr_log_site *next;
};

extern uint32_t mr_log_level_now; /* for the test below only */

/* fields ends with one of kind MR_LOG_NONE. */
void mr_log_emit(struct mr_log_site *site, const char *message, const struct mr_log_field *fields);
void mr_log_emit_f(struct mr_log_site *site, const char *format, ...) MR_PRINTF(2, 3);

#define MR_LOG_AT(level_, call, ...)                                                               \
    do {                                                                                           \
        if (__atomic_load_n(&mr_log_level_now, __ATOMIC_RELAXED) >= (uint32_t)(level_)) {          \
            static struct mr_log_site mr_log_site_here = {                                         \
                .file = __FILE__, .line = __LINE__, .level = (level_)};                            \
            call(&mr_log_site_here, __VA_ARGS__);                                                  \
        }                                                                                          \
    } while (0)

/* message is a literal; fields follow it. */
#define MR_LOG_EMIT(site, message, ...)                                                            \
    mr_log_emit(site, "" message,                                                                  \
                (const struct mr_log_field[]){__VA_ARGS__ __VA_OPT__(, ){.kind = MR_LOG_NONE}})
#define MR_LOG_ERROR(...) MR_LOG_AT(MR_LOG_LEVEL_ERROR, MR_LOG_EMIT, __VA_ARGS__)
#define MR_LOG_WARN(...)  MR_LOG_AT(MR_LOG_LEVEL_WARN, MR_LOG_EMIT, __VA_ARGS__)
#define MR_LOG_INFO(...)  MR_LOG_AT(MR_LOG_LEVEL_INFO, MR_LOG_EMIT, __VA_ARGS__)
#define MR_LOG_DEBUG(...) MR_LOG_AT(MR_LOG_LEVEL_DEBUG, MR_LOG_EMIT, __VA_ARGS__)
#define MR_LOG_TRACE(...) MR_LOG_AT(MR_LOG_LEVEL_TRACE, MR_LOG_EMIT, __VA_ARGS__)

/* The message is formatted as by printf, escaped, and ends after 512 characters. For our own words
 * and numbers; what strangers send belongs into fields. */
#define MR_LOGF_ERROR(...) MR_LOG_AT(MR_LOG_LEVEL_ERROR, mr_log_emit_f, __VA_ARGS__)
#define MR_LOGF_WARN(...)  MR_LOG_AT(MR_LOG_LEVEL_WARN, mr_log_emit_f, __VA_ARGS__)
#define MR_LOGF_INFO(...)  MR_LOG_AT(MR_LOG_LEVEL_INFO, mr_log_emit_f, __VA_ARGS__)
#define MR_LOGF_DEBUG(...) MR_LOG_AT(MR_LOG_LEVEL_DEBUG, mr_log_emit_f, __VA_ARGS__)
