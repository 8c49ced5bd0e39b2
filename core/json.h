/* json.h: reading and writing JSON. The only module that includes jansson.
 * Thread: a tree belongs to one thread at a time. Memory: allocates with malloc; never used on a
 * shard thread. A tree is freed by freeing its root; what the getters give is borrowed from it.
 *
 * All getters accept NULL (an absent member), so that lookups can be nested. */
#pragma once
#include <stdio.h>

#include "core/base.h"

struct mr_json; /* opaque */

enum mr_json_kind {
    MR_JSON_ABSENT, /* the pointer is NULL */
    MR_JSON_NULL,
    MR_JSON_BOOL,
    MR_JSON_INTEGER,
    MR_JSON_REAL,
    MR_JSON_STRING,
    MR_JSON_ARRAY,
    MR_JSON_OBJECT
};

struct mr_json_error {
    int line;      /* from 1; 0 when the file could not be read at all */
    int column;    /* from 1 */
    size_t offset; /* bytes before the error */
    char text[160];
};

/* ---- reading ---- */

/* Parses n bytes (no NUL needed) or a file. Any value may stand at the top. Refused: duplicate
 * keys, trailing text, invalid UTF-8, NUL in strings, integers outside of 64 bits signed. Returns a
 * tree that the caller frees, or NULL with *err filled (err may be NULL). */
struct mr_json *mr_json_parse(struct mr_json_error *err, const char *text, size_t n);
struct mr_json *mr_json_load(struct mr_json_error *err, const char *path);

/* Frees a whole tree. Only for roots (what parse, load and new returned and nobody took). */
void mr_json_free(struct mr_json *root);

enum mr_json_kind mr_json_kind(const struct mr_json *j);

/* Member of an object; NULL when absent, or when object is no object. */
const struct mr_json *mr_json_get(const struct mr_json *object, const char *key);
/* Number of items of an array or of members of an object; 0 for anything else. */
size_t mr_json_count(const struct mr_json *j);
/* Item of an array; NULL when out of range, or when array is no array. */
const struct mr_json *mr_json_at(const struct mr_json *array, size_t index);

/* Walks an object in the order of its text: `void *it = NULL; while (mr_json_next(o, &it, &k,
 * &v))`. */
bool mr_json_next(const struct mr_json *object, void **it, const char **key,
                  const struct mr_json **value);

/* The bytes of a string (NUL-terminated; *n, if not NULL, is their number), or NULL for any other
 * kind. */
const char *mr_json_string(const struct mr_json *j, size_t *n);

/* All of these: MR_OK; MR_NOT_FOUND when j is NULL; MR_INVALID for the wrong kind or text;
 * MR_TOO_BIG when the value does not fit. On any error the outputs are untouched. */
enum mr_err mr_json_bool(const struct mr_json *j, bool *out);
/* A non-negative integer, or a string that is one in decimal or, after 0x, in hexadecimal. */
enum mr_err mr_json_u64(const struct mr_json *j, uint64_t *out);
/* An integer or a real. */
enum mr_err mr_json_double(const struct mr_json *j, double *out);
/* A string of hexadecimal digits, as mr_hex_decode reads it: at most cap, or exactly n bytes. */
enum mr_err mr_json_hex(const struct mr_json *j, void *out, size_t *n, size_t cap);
enum mr_err mr_json_hex_exact(const struct mr_json *j, void *out, size_t n);
/* The same into new memory (at least one byte), which the caller frees; NULL when j is no such
 * string. */
uint8_t *mr_json_hex_dup(const struct mr_json *j, size_t *n);
/* A non-negative integer of up to 256 bits: as mr_json_u64, decimal strings of any length too. */
enum mr_err mr_json_u256(const struct mr_json *j, struct mr_u256 *out);

/* ---- building ---- */

/* New values, owned by the caller until set or push takes them. They never return NULL (out of
 * memory ends the process), except mr_json_new_raw for text that is not JSON. */
struct mr_json *mr_json_new_object(void);
struct mr_json *mr_json_new_array(void);
struct mr_json *mr_json_new_null(void);
struct mr_json *mr_json_new_bool(bool v);
/* Above 2^63 - 1 it becomes a string of decimal digits (mr_json_u64 reads both). */
struct mr_json *mr_json_new_u64(uint64_t v);
struct mr_json *mr_json_new_i64(int64_t v);
/* NaN and infinities become null, which is all that JSON has for them. */
struct mr_json *mr_json_new_double(double v);
/* n bytes of any content: what is not UTF-8, and NUL, becomes U+FFFD. */
struct mr_json *mr_json_new_string(const char *s, size_t n);
/* "0x" and 2 * n lower-case digits. */
struct mr_json *mr_json_new_hex(const void *p, size_t n);
/* Parses text that is already JSON; NULL when it is not. */
struct mr_json *mr_json_new_raw(const char *text, size_t n);

/* Adds value under key (replacing what was there) or at the end, and takes it.
 * object must be an object and array an array (asserted). key is NUL-terminated UTF-8. */
void mr_json_set(struct mr_json *object, const char *key, struct mr_json *value);
void mr_json_push(struct mr_json *array, struct mr_json *value);

/* Shorthands for mr_json_set(object, key, mr_json_new_...). text is NUL-terminated, of any content.
 */
void mr_json_set_u64(struct mr_json *object, const char *key, uint64_t v);
void mr_json_set_bool(struct mr_json *object, const char *key, bool v);
void mr_json_set_double(struct mr_json *object, const char *key, double v);
void mr_json_set_string(struct mr_json *object, const char *key, const char *text);
void mr_json_set_hex(struct mr_json *object, const char *key, const void *p, size_t n);

/* ---- writing ---- */

/* Compact text on one line, members in the order in which they were set. Returns memory that the
 * caller frees with free(); *n, if not NULL, is its length without the NUL. */
char *mr_json_dump(const struct mr_json *j, size_t *n);
/* Writes the same (indented by two when pretty) and a newline. MR_SYSTEM when writing fails. */
enum mr_err mr_json_write(const struct mr_json *j, FILE *f, bool pretty);
/* Writes a file whole or not at all: to a temporary one beside path, which then takes its place. */
enum mr_err mr_json_save(const struct mr_json *j, const char *path, bool pretty);
