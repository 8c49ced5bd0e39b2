#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/hex.h"
#include "core/json.h"
#include "net/eth/fork_id.h"
#include "node/commands.h"
#include "node/flags.h"
#include "node/lines.h"
#include "node/network_choice.h"

#define ID_TEXT_MAX 64 /* characters of HASH/NEXT: 10, 1 and 20 */

static const char *const usage =
    "usage: millrace forkid [--network NAME | --network-file FILE] [--head N --time T]\n"
    "                       [--check HASH/NEXT|-] [--json]\n";

struct fork_id {
    bool json, help, head_given, time_given, refused;
    uint64_t head, time;
    const char *network_name, *network_path, *check;
    const struct mr_network *network;
    struct mr_network_file *network_file;
    struct mr_chain_point at;
    struct mr_fork_id ours;
};

/* "0x07c9462e/0", with or without 0x. */
static bool id_parse(struct mr_fork_id *out, const char *text, size_t n)
{
    char copy[ID_TEXT_MAX + 1], *slash, *end;
    uint8_t hash[4];

    if (n > ID_TEXT_MAX || memchr(text, 0, n))
        return false;
    memcpy(copy, text, n);
    copy[n] = 0;
    slash = strchr(copy, '/');
    if (!slash || mr_hex_decode_exact(hash, sizeof hash, copy, (size_t)(slash - copy)) ||
        slash[1] < '0' || slash[1] > '9')
        return false;
    errno = 0;
    out->next = strtoull(slash + 1, &end, 10);
    out->hash = mr_load_be32(hash);
    return errno == 0 && *end == 0;
}

static void json_print(const struct fork_id *f, const enum mr_fork_check *verdict)
{
    struct mr_json *o = mr_json_new_object();
    uint8_t hash[4];

    mr_store_be32(hash, f->ours.hash);
    mr_json_set_hex(o, "hash", hash, sizeof hash);
    mr_json_set_u64(o, "next", f->ours.next);
    mr_json_set(o, "compatible",
                verdict ? mr_json_new_bool(*verdict == MR_FORK_COMPATIBLE) : mr_json_new_null());
    if (verdict && *verdict != MR_FORK_COMPATIBLE)
        mr_json_set_string(o, "reason", mr_fork_check_text(*verdict));
    else
        mr_json_set(o, "reason", mr_json_new_null());
    (void)mr_json_write(o, stdout, false); /* a failed write shows at the end */
    mr_json_free(o);
}

static void ours_print(const struct fork_id *f)
{
    printf("0x%08x/%llu\n", f->ours.hash, (unsigned long long)f->ours.next);
}

static void error_print(const struct fork_id *f, const char *sentence)
{
    struct mr_json *o;

    if (!f->json) {
        printf("error: %s\noffset: 0\n", sentence);
        return;
    }
    o = mr_json_new_object();
    mr_json_set_string(o, "error", sentence);
    mr_json_set_u64(o, "offset", 0);
    (void)mr_json_write(o, stdout, false);
    mr_json_free(o);
}

static void one_check(struct fork_id *f, const char *text, size_t n)
{
    enum mr_fork_check verdict;
    struct mr_fork_id remote;

    if (!id_parse(&remote, text, n)) {
        f->refused = true;
        error_print(f, "not of the form HASH/NEXT: four bytes in hexadecimal, a slash, a whole "
                       "number of at most 64 bits");
        return;
    }
    verdict = mr_fork_id_check(f->network, f->at, &remote);
    f->refused |= verdict != MR_FORK_COMPATIBLE;
    if (f->json)
        json_print(f, &verdict);
    else if (verdict == MR_FORK_COMPATIBLE)
        puts("compatible: yes");
    else
        printf("compatible: no\nreason: %s\n", mr_fork_check_text(verdict));
}

static int run(struct fork_id *f)
{
    enum mr_lines_got got = MR_LINES_END;
    struct mr_lines lines;
    const char *text;
    size_t n;

    if (!f->json)
        ours_print(f);
    if (!f->check) {
        if (f->json)
            json_print(f, NULL);
    } else if (strcmp(f->check, "-") != 0) {
        one_check(f, f->check, strlen(f->check));
    } else {
        mr_lines_init(&lines, STDIN_FILENO, ID_TEXT_MAX);
        while ((got = mr_lines_next(&lines, &text, &n)) == MR_LINES_LINE ||
               got == MR_LINES_TOO_LONG)
            one_check(f, text, got == MR_LINES_TOO_LONG ? ID_TEXT_MAX + 1 : n);
        mr_lines_free(&lines);
    }
    if (got == MR_LINES_FAILED)
        return mr_command_fail("cannot read standard input: %s", strerror(errno));
    if (fflush(stdout) || ferror(stdout))
        return mr_command_fail("cannot write to standard output: %s", strerror(errno));
    return f->refused;
}

int mr_command_fork_id(int argc, char **argv)
{
    struct fork_id f = {0};
    const struct mr_flag flags[] = {
        {"json", MR_FLAG_BOOL, &f.json, NULL, "", NULL},
        {"help", MR_FLAG_BOOL, &f.help, NULL, "", NULL},
        {"network", MR_FLAG_TEXT, &f.network_name, "", "", NULL},
        {"network-file", MR_FLAG_TEXT, &f.network_path, "", "", NULL},
        {"head", MR_FLAG_U64, &f.head, "", "", &f.head_given},
        {"time", MR_FLAG_U64, &f.time, "", "", &f.time_given},
        {"check", MR_FLAG_TEXT, &f.check, "", "", NULL},
    };
    struct mr_chain_point head;
    char error[512];
    const char *none;
    size_t words;
    int code;

    if (!mr_flags_parse(flags, MR_COUNT_OF(flags), argc, argv, &none, &words, 0, error,
                        sizeof error))
        return mr_command_fail("forkid: %s", error);
    if (f.help)
        return fputs(usage, stdout) == EOF;
    if (!mr_network_choose(&f.network, &f.network_file, f.network_name, f.network_path, error,
                           sizeof error))
        return mr_command_fail("forkid: %s", error);
    if (!f.time_given)
        f.time = mr_time_wall_s(mr_clock_now());
    head = (struct mr_chain_point){f.head, f.time};
    f.at = mr_network_point(f.network, f.head_given ? &head : NULL, f.time);
    f.ours = mr_fork_id_at(f.network, f.at);
    code = run(&f);
    free(f.network_file);
    return code;
}
