#include "core/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "core/hex.h"
#include "core/utf8.h"

/* struct mr_json is never defined: a pointer to it is a pointer to jansson's value. */
static json_t *inner(const struct mr_json *j)
{
    return (json_t *)(uintptr_t)j;
}

static struct mr_json *outer(const json_t *j)
{
    return (struct mr_json *)(uintptr_t)j;
}

/* New values come from here: out of memory in this module is the end. */
static struct mr_json *made(json_t *j)
{
    MR_ASSERT(j);
    return outer(j);
}

#define PARSE_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)

static struct mr_json *parsed(struct mr_json_error *err, json_t *j, const json_error_t *from)
{
    if (!j && err) {
        *err = (struct mr_json_error){.line = MR_MAX(from->line, 0),
                                      .column = MR_MAX(from->column, 0),
                                      .offset = from->position > 0 ? (size_t)from->position : 0};
        snprintf(err->text, sizeof err->text, "%s", from->text);
    }
    return outer(j);
}

struct mr_json *mr_json_parse(struct mr_json_error *err, const char *text, size_t n)
{
    json_error_t from;

    return parsed(err, json_loadb(text, n, PARSE_FLAGS, &from), &from);
}

struct mr_json *mr_json_load(struct mr_json_error *err, const char *path)
{
    json_error_t from;

    return parsed(err, json_load_file(path, PARSE_FLAGS, &from), &from);
}

void mr_json_free(struct mr_json *root)
{
    json_decref(inner(root));
}

enum mr_json_kind mr_json_kind(const struct mr_json *j)
{
    if (!j)
        return MR_JSON_ABSENT;
    switch (json_typeof(inner(j))) {
    case JSON_NULL:
        return MR_JSON_NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        return MR_JSON_BOOL;
    case JSON_INTEGER:
        return MR_JSON_INTEGER;
    case JSON_REAL:
        return MR_JSON_REAL;
    case JSON_STRING:
        return MR_JSON_STRING;
    case JSON_ARRAY:
        return MR_JSON_ARRAY;
    case JSON_OBJECT:
        return MR_JSON_OBJECT;
    }
    return MR_JSON_ABSENT;
}

const struct mr_json *mr_json_get(const struct mr_json *object, const char *key)
{
    return outer(json_object_get(inner(object), key));
}

size_t mr_json_count(const struct mr_json *j)
{
    return json_is_array(inner(j)) ? json_array_size(inner(j)) : json_object_size(inner(j));
}

const struct mr_json *mr_json_at(const struct mr_json *array, size_t index)
{
    return outer(json_array_get(inner(array), index));
}

bool mr_json_next(const struct mr_json *object, void **it, const char **key,
                  const struct mr_json **value)
{
    if (!json_is_object(inner(object)))
        return false;
    *it = *it ? json_object_iter_next(inner(object), *it) : json_object_iter(inner(object));
    if (!*it)
        return false;
    *key = json_object_iter_key(*it);
    *value = outer(json_object_iter_value(*it));
    return true;
}

const char *mr_json_string(const struct mr_json *j, size_t *n)
{
    if (!json_is_string(inner(j)))
        return NULL;
    if (n)
        *n = json_string_length(inner(j));
    return json_string_value(inner(j));
}

enum mr_err mr_json_bool(const struct mr_json *j, bool *out)
{
    if (!j)
        return MR_NOT_FOUND;
    if (!json_is_boolean(inner(j)))
        return MR_INVALID;
    *out = json_is_true(inner(j));
    return MR_OK;
}

/* v = v * base + add over 256 bits, big-endian; false when it does not fit. */
static bool u256_step(struct mr_u256 *v, unsigned base, unsigned add)
{
    unsigned carry = add;

    for (size_t i = sizeof v->b; i-- > 0;) {
        carry += v->b[i] * base;
        v->b[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return carry == 0;
}

static enum mr_err u256_from_text(struct mr_u256 *out, const char *s, size_t n)
{
    struct mr_u256 v = {{0}};
    unsigned base = 10;

    if (n >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2, n -= 2;
    }
    if (n == 0)
        return MR_INVALID;
    for (size_t i = 0; i < n; i++) {
        unsigned lower = (unsigned char)s[i] | 0x20u;
        unsigned d = s[i] >= '0' && s[i] <= '9'                   ? (unsigned)(s[i] - '0')
                     : base == 16 && lower >= 'a' && lower <= 'f' ? lower - 'a' + 10
                                                                  : base;

        if (d >= base)
            return MR_INVALID;
        if (!u256_step(&v, base, d))
            return MR_TOO_BIG;
    }
    *out = v;
    return MR_OK;
}

enum mr_err mr_json_u256(const struct mr_json *j, struct mr_u256 *out)
{
    if (!j)
        return MR_NOT_FOUND;
    if (json_is_integer(inner(j))) {
        json_int_t v = json_integer_value(inner(j));

        if (v < 0)
            return MR_INVALID;
        memset(out, 0, sizeof *out);
        mr_store_be64(out->b + 24, (uint64_t)v);
        return MR_OK;
    }
    if (!json_is_string(inner(j)))
        return MR_INVALID;
    return u256_from_text(out, json_string_value(inner(j)), json_string_length(inner(j)));
}

enum mr_err mr_json_u64(const struct mr_json *j, uint64_t *out)
{
    struct mr_u256 v;
    enum mr_err e = mr_json_u256(j, &v);

    if (e)
        return e;
    for (size_t i = 0; i < 24; i++)
        if (v.b[i] != 0)
            return MR_TOO_BIG;
    *out = mr_load_be64(v.b + 24);
    return MR_OK;
}

enum mr_err mr_json_double(const struct mr_json *j, double *out)
{
    if (!j)
        return MR_NOT_FOUND;
    if (!json_is_number(inner(j)))
        return MR_INVALID;
    *out = json_number_value(inner(j));
    return MR_OK;
}

/* MR_OK with the characters of a string, or why not. */
static enum mr_err text_of(const struct mr_json *j, const char **s, size_t *n)
{
    if (!j)
        return MR_NOT_FOUND;
    *s = mr_json_string(j, n);
    return *s ? MR_OK : MR_INVALID;
}

enum mr_err mr_json_hex(const struct mr_json *j, void *out, size_t *n, size_t cap)
{
    const char *s;
    size_t len;
    enum mr_err e = text_of(j, &s, &len);

    if (!e)
        e = mr_hex_decode(out, n, cap, s, len);
    return e == MR_MALFORMED ? MR_INVALID : e;
}

enum mr_err mr_json_hex_exact(const struct mr_json *j, void *out, size_t n)
{
    const char *s;
    size_t len;
    enum mr_err e = text_of(j, &s, &len);

    if (!e)
        e = mr_hex_decode_exact(out, n, s, len);
    return e == MR_MALFORMED ? MR_INVALID : e;
}

uint8_t *mr_json_hex_dup(const struct mr_json *j, size_t *n)
{
    const char *s;
    size_t len, bytes;
    uint8_t *out;

    if (text_of(j, &s, &len) || mr_hex_check(&bytes, NULL, s, len))
        return NULL;
    out = malloc(MR_MAX(bytes, 1));
    MR_ASSERT(out);
    MR_ASSERT(mr_hex_decode(out, n, bytes, s, len) == MR_OK);
    return out;
}

struct mr_json *mr_json_new_object(void)
{
    return made(json_object());
}

struct mr_json *mr_json_new_array(void)
{
    return made(json_array());
}

struct mr_json *mr_json_new_null(void)
{
    return made(json_null());
}

struct mr_json *mr_json_new_bool(bool v)
{
    return made(json_boolean(v));
}

struct mr_json *mr_json_new_u64(uint64_t v)
{
    char digits[21];

    if (v <= INT64_MAX)
        return made(json_integer((json_int_t)v));
    snprintf(digits, sizeof digits, "%" PRIu64, v);
    return made(json_string(digits));
}

struct mr_json *mr_json_new_i64(int64_t v)
{
    return made(json_integer(v));
}

struct mr_json *mr_json_new_double(double v)
{
    return isfinite(v) ? made(json_real(v)) : mr_json_new_null();
}

struct mr_json *mr_json_new_string(const char *s, size_t n)
{
    json_t *j = json_stringn(s, n);
    char *clean;
    size_t used = 0;

    if (j && !memchr(s, 0, n))
        return outer(j);
    json_decref(j);
    clean = malloc(3 * n + 1); /* each bad byte becomes three */
    MR_ASSERT(clean);
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t len = mr_utf8_decode(&cp, s + i, n - i);

        if (len == 1 && cp == 0)
            len = 0;
        memcpy(clean + used, len ? s + i : "\xef\xbf\xbd", len ? len : 3);
        used += len ? len : 3;
        i += len ? len : 1;
    }
    j = json_stringn(clean, used);
    free(clean);
    return made(j);
}

struct mr_json *mr_json_new_hex(const void *p, size_t n)
{
    char *text = malloc(2 * n + 3);
    json_t *j;

    MR_ASSERT(text);
    text[0] = '0', text[1] = 'x';
    mr_hex_encode(text + 2, p, n);
    j = json_stringn_nocheck(text, 2 * n + 2);
    free(text);
    return made(j);
}

struct mr_json *mr_json_new_raw(const char *text, size_t n)
{
    return mr_json_parse(NULL, text, n);
}

void mr_json_set(struct mr_json *object, const char *key, struct mr_json *value)
{
    MR_ASSERT(json_is_object(inner(object)));
    MR_ASSERT(json_object_set_new(inner(object), key, inner(value)) == 0);
}

void mr_json_push(struct mr_json *array, struct mr_json *value)
{
    MR_ASSERT(json_is_array(inner(array)));
    MR_ASSERT(json_array_append_new(inner(array), inner(value)) == 0);
}

void mr_json_set_u64(struct mr_json *object, const char *key, uint64_t v)
{
    mr_json_set(object, key, mr_json_new_u64(v));
}

void mr_json_set_bool(struct mr_json *object, const char *key, bool v)
{
    mr_json_set(object, key, mr_json_new_bool(v));
}

void mr_json_set_double(struct mr_json *object, const char *key, double v)
{
    mr_json_set(object, key, mr_json_new_double(v));
}

void mr_json_set_string(struct mr_json *object, const char *key, const char *text)
{
    mr_json_set(object, key, mr_json_new_string(text, strlen(text)));
}

void mr_json_set_hex(struct mr_json *object, const char *key, const void *p, size_t n)
{
    mr_json_set(object, key, mr_json_new_hex(p, n));
}

char *mr_json_dump(const struct mr_json *j, size_t *n)
{
    char *text = json_dumps(inner(j), JSON_COMPACT | JSON_ENCODE_ANY);

    MR_ASSERT(text);
    if (n)
        *n = strlen(text);
    return text;
}

enum mr_err mr_json_write(const struct mr_json *j, FILE *f, bool pretty)
{
    size_t flags = JSON_ENCODE_ANY | (pretty ? JSON_INDENT(2) : JSON_COMPACT);

    if (json_dumpf(inner(j), f, flags) != 0)
        return MR_SYSTEM;
    return fputc('\n', f) == EOF ? MR_SYSTEM : MR_OK;
}

enum mr_err mr_json_save(const struct mr_json *j, const char *path, bool pretty)
{
    char temporary[4096];
    enum mr_err e;
    int saved;
    FILE *f;

    if ((size_t)snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid()) >=
        sizeof temporary)
        return MR_TOO_BIG;
    f = fopen(temporary, "we");
    if (!f)
        return MR_SYSTEM;
    e = mr_json_write(j, f, pretty);
    if (fclose(f) != 0)
        e = MR_SYSTEM;
    if (!e && rename(temporary, path) == 0)
        return MR_OK;
    saved = errno;
    unlink(temporary);
    errno = saved;
    return MR_SYSTEM;
}
