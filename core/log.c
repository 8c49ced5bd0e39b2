#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "core/hex.h"
#include "core/utf8.h"

#define MESSAGE_MAX 512
#define PATH_MAX_   4000
#define TAIL_ROOM   48 /* for suppressed=, cut= and the newline, which always fit */
#define HEX_MAX     ((MR_LOG_VALUE_MAX - 2) / 2)

uint32_t mr_log_level_now = MR_LOG_LEVEL_INFO;

/* The descriptor keeps its number over reopen (dup3 replaces what is behind it), so that writers
 * need neither a lock nor to be told. */
static struct {
    int fd;
    uint32_t lines_per_second;
    uint64_t suppressed;
    uint64_t failed;
    struct mr_log_site *sites;
    char path[PATH_MAX_ + 1];
} logger = {.fd = STDERR_FILENO, .lines_per_second = 10};

struct line {
    size_t n;
    bool cut;
    char b[MR_LOG_LINE_MAX];
};

/* False when it does not fit before the tail; nothing is then written. */
static bool put(struct line *l, const char *s, size_t n)
{
    if (n > sizeof l->b - TAIL_ROOM - l->n)
        return false;
    memcpy(l->b + l->n, s, n);
    l->n += n;
    return true;
}

/* Invisible, or changes how the rest is shown: direction marks, separators, fillers, selectors,
 * tags, private use and what is no character at all. */
static bool is_hidden(uint32_t cp)
{
    static const uint32_t ranges[][2] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x61c, 0x61c},   {0x115f, 0x1160},
        {0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f}, {0x3164, 0x3164},
        {0xe000, 0xf8ff}, {0xfdd0, 0xfdef}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff}, {0xffa0, 0xffa0},
        {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0x10ffff}};

    for (size_t i = 0; i < MR_COUNT_OF(ranges); i++)
        if (cp >= ranges[i][0] && cp <= ranges[i][1])
            return true;
    return (cp & 0xfffe) == 0xfffe;
}

/* How the character at s is written: bytes in out, their number in *bytes. Returns how many bytes
 * of s it stands for. *shown is its length in characters. */
static size_t escape_one(char out[12], size_t *bytes, size_t *shown, const uint8_t *s, size_t n)
{
    uint32_t cp;
    size_t len = mr_utf8_decode(&cp, s, n);
    int wrote;

    if (len != 0 && cp != '"' && cp != '\\' && !is_hidden(cp)) {
        memcpy(out, s, len);
        *bytes = len;
        *shown = 1;
        return len;
    }
    if (len == 0)
        wrote = snprintf(out, 12, "\\x%02x", s[0]);
    else if (cp == '"' || cp == '\\')
        wrote = snprintf(out, 12, "\\%c", (char)cp);
    else if (cp == '\n' || cp == '\r' || cp == '\t')
        wrote = snprintf(out, 12, "\\%c", cp == '\n' ? 'n' : cp == '\r' ? 'r' : 't');
    else if (cp < 0x80)
        wrote = snprintf(out, 12, "\\x%02x", (unsigned)cp);
    else
        wrote = snprintf(out, 12, cp > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)cp);
    *bytes = *shown = (size_t)wrote;
    return MR_MAX(len, 1);
}

/* In quotes, escaped, and no longer than max characters, the last of them "..." when it was cut. */
static bool put_quoted(struct line *l, const uint8_t *s, size_t n, size_t max)
{
    size_t start = l->n, mark, shown = 0;

    if (!put(l, "\"", 1))
        return false;
    mark = l->n;
    for (size_t i = 0; i < n;) {
        char piece[12];
        size_t bytes, more, used = escape_one(piece, &bytes, &more, s + i, n - i);

        if (shown + more > max) {
            l->n = mark;
            put(l, "...", 3);
            break;
        }
        if (!put(l, piece, bytes)) {
            l->n = start;
            return false;
        }
        shown += more;
        if (shown + 3 <= max)
            mark = l->n;
        i += used;
    }
    if (put(l, "\"", 1))
        return true;
    l->n = start;
    return false;
}

static bool put_value(struct line *l, const struct mr_log_field *f)
{
    char text[2 * HEX_MAX + 3];
    size_t n;

    switch (f->kind) {
    case MR_LOG_STR:
        return put_quoted(l, f->bytes.p, f->bytes.n, MR_LOG_VALUE_MAX);
    case MR_LOG_U64:
        return put(l, text,
                   (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)f->number));
    case MR_LOG_I64:
        return put(l, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)f->number));
    case MR_LOG_HEX:
        n = MR_MIN(f->bytes.n, HEX_MAX);
        text[0] = '0', text[1] = 'x';
        n = 2 + mr_hex_encode(text + 2, f->bytes.p, n);
        if (f->bytes.n > HEX_MAX)
            memcpy(text + n - 3, "...", 3);
        return put(l, text, n);
    case MR_LOG_NONE:
        break;
    }
    return false;
}

static void put_field(struct line *l, const struct mr_log_field *f)
{
    size_t start = l->n;

    if (put(l, " ", 1) && put(l, f->key, strlen(f->key)) && put(l, "=", 1) && put_value(l, f))
        return;
    l->n = start;
    l->cut = true;
}

/* Days since 1970-01-01 to a date of the Gregorian calendar. gmtime_r would take libc's lock. The
 * year is taken to begin in March, so that the leap day is its last. */
static void date_of(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    uint64_t z = days + 719468, era = z / 146097, of_era = z % 146097;
    uint64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

    *day = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
    *month = (unsigned)(m < 10 ? m + 3 : m - 9);
    *year = (unsigned)(y + era * 400 + (*month <= 2));
}

static void line_begin(struct line *l, const struct timespec *now, enum mr_log_level level,
                       const char *message)
{
    static const char *const names[] = {"silent", "error", "warn", "info", "debug", "trace"};
    unsigned year, month, day, s = (unsigned)(now->tv_sec % 86400);
    char head[80];
    int n;

    date_of((uint64_t)now->tv_sec / 86400, &year, &month, &day);
    n = snprintf(head, sizeof head, "t=%04u-%02u-%02uT%02u:%02u:%02u.%03uZ lvl=%s msg=", year,
                 month, day, s / 3600, s / 60 % 60, s % 60, (unsigned)(now->tv_nsec / 1000000),
                 names[level]);
    l->n = 0;
    l->cut = false;
    put(l, head, (size_t)n);
    if (!put_quoted(l, (const uint8_t *)message, strlen(message), MESSAGE_MAX)) {
        put(l, "\"\"", 2);
        l->cut = true;
    }
}

/* Whether a line can be written without waiting: no thread waits for a pipe that nobody empties. */
static bool sink_ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

static void line_end(struct line *l, uint32_t held)
{
    int fd = __atomic_load_n(&logger.fd, __ATOMIC_RELAXED);
    ssize_t wrote = -1;

    if (held)
        l->n += (size_t)snprintf(l->b + l->n, sizeof l->b - l->n, " suppressed=%u", held);
    if (l->cut)
        l->n += (size_t)snprintf(l->b + l->n, sizeof l->b - l->n, " cut=true");
    l->b[l->n++] = '\n';
    if (sink_ready(fd))
        do
            wrote = write(fd, l->b, l->n);
        while (wrote < 0 && errno == EINTR);
    if (wrote != (ssize_t)l->n)
        __atomic_fetch_add(&logger.failed, 1, __ATOMIC_RELAXED);
}

static void site_list(struct mr_log_site *site)
{
    struct mr_log_site *head = __atomic_load_n(&logger.sites, __ATOMIC_RELAXED);

    if (__atomic_exchange_n(&site->listed, 1, __ATOMIC_RELAXED) != 0)
        return;
    do
        site->next = head;
    while (!__atomic_compare_exchange_n(&logger.sites, &head, site, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED));
}

/* Whether the site may write a line now, and how many were held back before it. */
static bool site_admit(struct mr_log_site *site, uint32_t *held, uint64_t now_s)
{
    uint32_t limit = __atomic_load_n(&logger.lines_per_second, __ATOMIC_RELAXED);
    uint64_t window_s = __atomic_load_n(&site->window_s, __ATOMIC_RELAXED);

    *held = 0;
    if (limit == 0)
        return true;
    if (window_s != now_s && __atomic_compare_exchange_n(&site->window_s, &window_s, now_s, false,
                                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        __atomic_store_n(&site->lines, 0, __ATOMIC_RELAXED);
        *held = __atomic_exchange_n(&site->suppressed, 0, __ATOMIC_RELAXED);
    }
    if (__atomic_load_n(&site->lines, __ATOMIC_RELAXED) < limit &&
        __atomic_fetch_add(&site->lines, 1, __ATOMIC_RELAXED) < limit)
        return true;
    if (!__atomic_load_n(&site->listed, __ATOMIC_RELAXED))
        site_list(site);
    __atomic_fetch_add(&site->suppressed, *held + 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&logger.suppressed, 1, __ATOMIC_RELAXED);
    return false;
}

void mr_log_emit(struct mr_log_site *site, const char *message, const struct mr_log_field *fields)
{
    int saved = errno;
    struct timespec now;
    struct line l;
    uint32_t held;

    clock_gettime(CLOCK_REALTIME, &now);
    if (site_admit(site, &held, (uint64_t)now.tv_sec)) {
        line_begin(&l, &now, site->level, message);
        for (; fields && fields->kind != MR_LOG_NONE; fields++)
            put_field(&l, fields);
        line_end(&l, held);
    }
    errno = saved;
}

void mr_log_emit_f(struct mr_log_site *site, const char *format, ...)
{
    char message[4 * MESSAGE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    mr_log_emit(site, message, NULL);
}

/* Says what is held back at sites that have written nothing in this second, or at all of them. */
static void held_back(bool all)
{
    struct mr_log_site *s = __atomic_load_n(&logger.sites, __ATOMIC_ACQUIRE);
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    for (; s; s = s->next) {
        const char *base = strrchr(s->file, '/');
        struct line l;
        char where[64];
        uint32_t held;

        if (!all && __atomic_load_n(&s->window_s, __ATOMIC_RELAXED) == (uint64_t)now.tv_sec)
            continue;
        held = __atomic_exchange_n(&s->suppressed, 0, __ATOMIC_RELAXED);
        if (held == 0)
            continue;
        snprintf(where, sizeof where, "%s:%d", base ? base + 1 : s->file, s->line);
        line_begin(&l, &now, s->level, "lines held back");
        put_field(&l, &(const struct mr_log_field){.key = "site",
                                                   .kind = MR_LOG_STR,
                                                   .bytes = mr_span(where, strlen(where))});
        line_end(&l, held);
    }
}

static int open_path(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

enum mr_err mr_log_open(const struct mr_log_options *options)
{
    int fd = STDERR_FILENO;

    MR_ASSERT(logger.fd == STDERR_FILENO);
    if (options->path && strlen(options->path) > PATH_MAX_)
        return MR_TOO_BIG;
    if (options->path && (fd = open_path(options->path)) < 0)
        return MR_SYSTEM;
    logger.path[0] = '\0';
    if (options->path)
        memcpy(logger.path, options->path, strlen(options->path) + 1);
    __atomic_store_n(&logger.fd, fd, __ATOMIC_RELAXED);
    __atomic_store_n(&logger.lines_per_second, options->lines_per_second, __ATOMIC_RELAXED);
    mr_log_set_level(options->level);
    return MR_OK;
}

enum mr_err mr_log_reopen(void)
{
    int fd, result;

    if (logger.fd == STDERR_FILENO)
        return MR_OK;
    fd = open_path(logger.path);
    if (fd < 0)
        return MR_SYSTEM;
    result = dup3(fd, logger.fd, O_CLOEXEC);
    close(fd);
    return result < 0 ? MR_SYSTEM : MR_OK;
}

void mr_log_close(void)
{
    int fd = logger.fd;

    held_back(true);
    __atomic_store_n(&logger.fd, STDERR_FILENO, __ATOMIC_RELAXED);
    __atomic_store_n(&logger.lines_per_second, 10, __ATOMIC_RELAXED);
    mr_log_set_level(MR_LOG_LEVEL_INFO);
    if (fd != STDERR_FILENO)
        close(fd);
}

void mr_log_tick(void)
{
    held_back(false);
}

void mr_log_set_level(enum mr_log_level level)
{
    __atomic_store_n(&mr_log_level_now, (uint32_t)level, __ATOMIC_RELAXED);
}

enum mr_log_level mr_log_get_level(void)
{
    return (enum mr_log_level)__atomic_load_n(&mr_log_level_now, __ATOMIC_RELAXED);
}

uint64_t mr_log_suppressed(void)
{
    return __atomic_load_n(&logger.suppressed, __ATOMIC_RELAXED);
}

uint64_t mr_log_failed(void)
{
    return __atomic_load_n(&logger.failed, __ATOMIC_RELAXED);
}
