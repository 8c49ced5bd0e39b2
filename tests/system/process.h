/* process.h: a real relay as a child process, for the tests of tests/system and tests/attacks: its
 * output, its counters (--stats), its memory and descriptors, and its end. Loopback only.
 * Thread: one. A failure fails the running cmocka test; no child outlives the test's process. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/types.h>

#include "net/eth/network.h"
#include "net/rlpx/enode.h"
#include "tests/support/client.h"

#define LOOPBACK         0x7f000001u
#define PROCESS_ARGS_MAX 40

/* Arguments of `millrace run`, NULL at the end: ARGS("--maxpeers", "2"). */
#define ARGS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

struct process_options {
    const char *dir;    /* of key and lock: kept when the process ends; NULL: its own */
    bool bare;          /* args are all there is, from the word behind `millrace` on */
    uint64_t files_max; /* limit of open files, soft and hard; 0: as it is */
    bool forbid_uring;  /* io_uring_setup answers EPERM, as under Docker's seccomp filter */
    bool uring_no_such; /* it answers ENOSYS, as on a kernel without it */
};

/* A test that runs with one shard and with three; its state is their number, as text. */
#define BOTH(f)                                                                                    \
    {#f, f, NULL, NULL, (void *)(uintptr_t) "1"},                                                  \
    {                                                                                              \
#f ", 3 shards", f, NULL, NULL, (void *)(uintptr_t) "3"                                    \
    }

struct process {
    pid_t pid; /* 0: none */
    int code;  /* exit code, or 256 + signal */
    bool keep_dir;
    char dir[64], stats[96], output[96], url[192];
    struct mr_node_id id;
    struct mr_endpoint at;
    char *text; /* its output so far, see process_text */
    struct mr_json *last;
};

/* Spawns it and waits for its enode line (10 s). Without --addr, --port, --datadir and --stats in
 * args: loopback, any free port, own ones. options may be NULL. */
void process_start(struct process *p, const char *const *args,
                   const struct process_options *options);
/* Whether the enode line has come; fills id, at and url then. */
bool process_enode(struct process *p);
/* Spawns it only. */
void process_spawn(struct process *p, const char *const *args,
                   const struct process_options *options);
/* Waits for its end; false: it goes on. p->code then. */
bool process_wait(struct process *p, int timeout_ms);
/* SIGTERM, end, exit code 0 within 2 s (10 s with sanitizers); frees. */
void process_stop(struct process *p);
/* Ends it in any way; frees. For failed starts too. */
void process_kill(struct process *p);
void process_signal(struct process *p, int signal);
/* All that it has written to standard output and error. */
const char *process_text(struct process *p);
/* Waits until its output holds text. */
void process_await_text(struct process *p, const char *text, int timeout_ms);

/* Counters, as of the last second. process_stat fails for a name that is not there. */
uint64_t process_stat(struct process *p, const char *name);
/* The counter as it was read after this call. */
uint64_t process_stat_now(struct process *p, const char *name);
void process_await(struct process *p, const char *name, uint64_t at_least, int timeout_ms);
void process_await_equal(struct process *p, const char *name, uint64_t value, int timeout_ms);
/* Fails unless the counters' `tick` moves within 1.5 s (the catalogue's oracle O1). */
void process_alive(struct process *p);

uint64_t process_rss(const struct process *p);
unsigned process_files(const struct process *p);
uint64_t process_cpu_ms(const struct process *p);

/* Runs `millrace ARGS` to its end: exit code; its output is in p->text until process_kill. */
int process_run(struct process *p, const char *const *args, const struct process_options *options);
/* It refuses: exit code 1 and one sentence, a line that starts with "millrace: " and holds each of
 * words (NULL at the end). */
void process_refuses(const char *const *args, const struct process_options *options,
                     const char *const *words);

int64_t process_now_ms(void);
void process_sleep_ms(int ms);

/* A folder of its own for a test, and its end. */
void process_make_dir(char dir[64]);
void process_remove_dir(const char *dir);
/* Writes a file whole; fails the test if it cannot. */
void process_write_file(const char *path, const char *text, unsigned mode);

/* ---- peers ---- */

const struct mr_secp *peers_secp(void); /* one for all of a test's clients */
/* Options of a peer of mainnet named by seed. */
struct mr_client_options peer_options(uint64_t seed);
/* Connects and agrees on Status; fails the test otherwise. */
void peer_open(struct mr_client *c, const struct process *p, uint64_t seed);
/* As of this version of eth only; 0: the best. */
void peer_open_version(struct mr_client *c, const struct process *p, uint64_t seed,
                       unsigned version);
/* Connects, shakes hands and says Hello: what came of it. */
enum mr_client_got peer_try(struct mr_client *c, const struct process *p, uint64_t seed);
/* The peer gets a Disconnect with this reason and then the end. */
void peer_expect_end(struct mr_client *c, unsigned reason, int timeout_ms);
/* A listening socket on loopback that a relay may dial: its port, and the enode URL of seed. */
int peer_listen(struct mr_endpoint *at, char url[MR_ENODE_TEXT_MAX], uint64_t seed);
/* Takes the next connection of a listening socket and agrees on Status. */
void peer_accept(struct mr_client *c, int listener, uint64_t seed, int timeout_ms);

/* ---- transactions ---- */

struct sample {
    uint8_t *raw;
    size_t n;
    uint8_t type;
    struct mr_hash hash;
};
/* A valid transaction of mainnet, by the account named by sender, with so many bytes of data. */
void sample_make(struct sample *s, uint64_t sender, uint64_t nonce, size_t data_bytes);
/* Bytes as they are. */
void sample_of(struct sample *s, const void *raw, size_t n);
void sample_free(struct sample *s);
void sample_send(struct mr_client *c, const struct sample *s);
/* Announces it as what it is. */
void sample_announce(struct mr_client *c, const struct sample *s);
/* Waits until it is asked for; the request's id. False: nobody asks. */
bool sample_question(struct mr_client *c, const struct sample *s, uint64_t *id, int timeout_ms);
/* PooledTransactions with n transactions. */
bool samples_answer(struct mr_client *c, uint64_t id, const struct sample *const *s, size_t n);
/* Both, with what was asked for. */
bool sample_serve(struct mr_client *c, const struct sample *s, int timeout_ms);
/* Waits until the transaction reaches c with these bytes: in full, or announced (with its type and
 * size) and then fetched. */
bool sample_arrives(struct mr_client *c, const struct sample *s, int timeout_ms);
/* Whether a message names or holds it. */
bool sample_in(const struct mr_client *c, const struct mr_client_message *m,
               const struct sample *s);
