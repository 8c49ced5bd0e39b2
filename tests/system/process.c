#include "tests/system/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"

#define TEXT_MAX (1u << 20)
#define COUNTED_MS                                                                                 \
    100 /* what a thread did so long ago is in its counters, and known to the others */

int64_t process_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void process_sleep_ms(int ms)
{
    poll(NULL, 0, ms);
}

/* ---- starting ---- */

static bool has_flag(const char *const *args, const char *flag)
{
    for (; *args; args++)
        if (strcmp(*args, flag) == 0)
            return true;
    return false;
}

/* What Docker's filter (EPERM) or an old kernel (ENOSYS) says to io_uring. */
static void refuse_uring(int error)
{
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = MR_COUNT_OF(f), .filter = f};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(126);
}

static void child(char **argv, int out, const struct process_options *o)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, 1);
    dup2(out, 2);
    if (o->files_max) {
        struct rlimit limit = {o->files_max, o->files_max};

        if (setrlimit(RLIMIT_NOFILE, &limit))
            _exit(125);
    }
    if (o->forbid_uring)
        refuse_uring(EPERM);
    if (o->uring_no_such)
        refuse_uring(ENOSYS);
    execv(argv[0], argv);
    _exit(127);
}

void process_spawn(struct process *p, const char *const *args,
                   const struct process_options *options)
{
    static const struct process_options none;
    const struct process_options *o = options ? options : &none;
    char *argv[PROCESS_ARGS_MAX + 12], data[96];
    size_t n = 0;
    int out;

    memset(p, 0, sizeof *p);
    p->keep_dir = o->dir != NULL;
    if (o->dir) {
        snprintf(p->dir, sizeof p->dir, "%s", o->dir);
    } else {
        process_make_dir(p->dir);
    }
    snprintf(p->stats, sizeof p->stats, "%s/stats.json", p->dir);
    snprintf(p->output, sizeof p->output, "%s/output", p->dir);
    snprintf(data, sizeof data, "%s/data", p->dir);
    unlink(p->stats);
    argv[n++] = (char *)(uintptr_t)MR_BINARY;
    if (!o->bare) {
        const char *const defaults[][2] = {
            {"--addr", "127.0.0.1"}, {"--port", "0"}, {"--datadir", data}, {"--stats", p->stats}};

        argv[n++] = (char *)(uintptr_t) "run";
        for (size_t i = 0; i < MR_COUNT_OF(defaults); i++)
            if (!has_flag(args, defaults[i][0]))
                for (size_t k = 0; k < 2; k++)
                    argv[n++] = (char *)(uintptr_t)defaults[i][k];
    }
    for (; *args; args++) {
        assert_true(n < PROCESS_ARGS_MAX + 11);
        argv[n++] = (char *)(uintptr_t)*args;
    }
    argv[n] = NULL;
    out = open(p->output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    assert_true(out >= 0);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0)
        child(argv, out, o);
    close(out);
}

bool process_enode(struct process *p)
{
    const char *at = strstr(process_text(p), "enode://");
    struct mr_enode e;
    size_t n;

    if (!at)
        return false;
    n = strcspn(at, " \n\"");
    if (at[n] == 0 || mr_enode_parse(&e, NULL, at, n) != MR_OK)
        return false; /* not written to its end yet */
    snprintf(p->url, sizeof p->url, "%.*s", (int)n, at);
    p->id = e.id;
    p->at = e.tcp;
    return true;
}

void process_start(struct process *p, const char *const *args,
                   const struct process_options *options)
{
    int64_t until = process_now_ms() + 30000;

    process_spawn(p, args, options);
    while (!process_enode(p)) {
        if (process_wait(p, 10) || process_now_ms() > until) {
            print_message("%s", process_text(p));
            fail_msg("the relay does not start: exit code %d", p->code);
        }
    }
}

/* ---- ending ---- */

bool process_wait(struct process *p, int timeout_ms)
{
    int64_t until = process_now_ms() + timeout_ms;
    int status;

    if (p->pid == 0)
        return true;
    for (;;) {
        pid_t got = waitpid(p->pid, &status, WNOHANG);

        if (got == p->pid) {
            p->pid = 0;
            p->code = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
            return true;
        }
        if (process_now_ms() >= until)
            return false;
        process_sleep_ms(5);
    }
}

static void remove_tree(const char *dir)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (system(command) != 0)
        print_message("cannot remove %s\n", dir);
}

void process_make_dir(char dir[64])
{
    snprintf(dir, 64, "/tmp/mr_system_XXXXXX");
    assert_non_null(mkdtemp(dir));
}

void process_remove_dir(const char *dir)
{
    remove_tree(dir);
}

void process_write_file(const char *path, const char *text, unsigned mode)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_int_equal(fputs(text, f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void finish(struct process *p)
{
    free(p->text);
    p->text = NULL;
    if (p->last)
        mr_json_free(p->last);
    p->last = NULL;
    if (!p->keep_dir && p->dir[0])
        remove_tree(p->dir);
    p->dir[0] = 0;
}

void process_kill(struct process *p)
{
    if (p->pid) {
        kill(p->pid, SIGKILL);
        process_wait(p, 10000);
    }
    finish(p);
}

void process_stop(struct process *p)
{
#ifdef MR_SANITIZED
    const int limit_ms = 10000;
#else
    const int limit_ms = 2000;
#endif
    process_signal(p, SIGTERM);
    if (!process_wait(p, limit_ms) || p->code != 0) {
        print_message("%s", process_text(p));
        fail_msg("%s: exit code %d", p->pid ? "goes on after SIGTERM" : "a bad end", p->code);
    }
    finish(p);
}

void process_signal(struct process *p, int signal)
{
    if (process_wait(p, 0)) {
        print_message("%s", process_text(p));
        fail_msg("the relay ended by itself: exit code %d", p->code);
    }
    assert_int_equal(kill(p->pid, signal), 0);
}

/* ---- looking at it ---- */

const char *process_text(struct process *p)
{
    FILE *f = fopen(p->output, "rb");
    size_t n = 0;

    if (!p->text)
        p->text = malloc(TEXT_MAX + 1);
    assert_non_null(p->text);
    if (f) {
        n = fread(p->text, 1, TEXT_MAX, f);
        fclose(f);
    }
    p->text[n] = 0;
    return p->text;
}

static void must_run(struct process *p)
{
    if (process_wait(p, 0)) {
        print_message("%s", process_text(p));
        fail_msg("the relay ended by itself: exit code %d", p->code);
    }
}

void process_await_text(struct process *p, const char *text, int timeout_ms)
{
    int64_t until = process_now_ms() + timeout_ms;

    while (!strstr(process_text(p), text)) {
        must_run(p);
        if (process_now_ms() > until) {
            print_message("%s", process_text(p));
            fail_msg("within %d ms it does not say: %s", timeout_ms, text);
        }
        process_sleep_ms(20);
    }
}

/* Reads the counters; the file is replaced whole, so that any reading of it is one of them. */
static bool reload(struct process *p)
{
    struct mr_json *fresh = mr_json_load(NULL, p->stats);

    if (!fresh)
        return false;
    if (p->last)
        mr_json_free(p->last);
    p->last = fresh;
    return true;
}

static uint64_t stat_of(struct process *p, const char *name)
{
    uint64_t value = 0;

    if (mr_json_u64(mr_json_get(p->last, name), &value) != MR_OK)
        fail_msg("there is no counter %s", name);
    return value;
}

static void reload_sure(struct process *p)
{
    int64_t until = process_now_ms() + 8000;

    while (!reload(p)) {
        if (p->pid)
            must_run(p);
        if (process_now_ms() > until)
            fail_msg("no counters in %s", p->stats);
        process_sleep_ms(20);
    }
}

uint64_t process_stat(struct process *p, const char *name)
{
    reload_sure(p);
    return stat_of(p, name);
}

uint64_t process_stat_now(struct process *p, const char *name)
{
    uint64_t from = mr_clock_now().wall_ns / MR_MS + COUNTED_MS;
    int64_t until = process_now_ms() + 8000;

    while (process_stat(p, "time_ms") < from) {
        must_run(p);
        if (process_now_ms() > until)
            fail_msg("the counters are not written any more");
        process_sleep_ms(10);
    }
    return stat_of(p, name);
}

static void await(struct process *p, const char *name, uint64_t value, bool equal, int timeout_ms)
{
    int64_t until = process_now_ms() + timeout_ms;
    uint64_t now;

    while ((now = process_stat(p, name)), equal ? now != value : now < value) {
        must_run(p);
        if (process_now_ms() > until) {
            print_message("%s", process_text(p));
            fail_msg("%s is %llu after %d ms, not %llu", name, (unsigned long long)now, timeout_ms,
                     (unsigned long long)value);
        }
        process_sleep_ms(50);
    }
}

void process_await(struct process *p, const char *name, uint64_t at_least, int timeout_ms)
{
    await(p, name, at_least, false, timeout_ms);
}

void process_await_equal(struct process *p, const char *name, uint64_t value, int timeout_ms)
{
    await(p, name, value, true, timeout_ms);
}

void process_alive(struct process *p)
{
    uint64_t before = process_stat(p, "tick");
    int64_t until = process_now_ms() + 2600; /* 1.5 s, and the second between two writings */

    while (process_stat(p, "tick") == before) {
        must_run(p);
        if (process_now_ms() > until)
            fail_msg("tick stands still: %llu", (unsigned long long)before);
        process_sleep_ms(50);
    }
}

static FILE *proc_open(const struct process *p, const char *what)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)p->pid, what);
    return fopen(path, "re");
}

uint64_t process_rss(const struct process *p)
{
    FILE *f = proc_open(p, "statm");
    unsigned long long size = 0, resident = 0;

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%llu %llu", &size, &resident), 2);
    fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

unsigned process_files(const struct process *p)
{
    char command[64];
    FILE *f;
    unsigned n = 0;

    snprintf(command, sizeof command, "ls /proc/%d/fd | wc -l", (int)p->pid);
    f = popen(command, "re");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%u", &n), 1);
    pclose(f);
    return n;
}

uint64_t process_cpu_ms(const struct process *p)
{
    FILE *f = proc_open(p, "stat");
    unsigned long long user = 0, system = 0;

    assert_non_null(f);
    assert_int_equal(
        fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system),
        2);
    fclose(f);
    return (user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* ---- to the end ---- */

int process_run(struct process *p, const char *const *args, const struct process_options *options)
{
    process_spawn(p, args, options);
    if (!process_wait(p, 30000)) {
        print_message("%s", process_text(p));
        process_kill(p);
        fail_msg("it goes on");
    }
    process_text(p);
    return p->code;
}

void process_refuses(const char *const *args, const struct process_options *options,
                     const char *const *words)
{
    struct process p;
    int code = process_run(&p, args, options);
    const char *end = strchr(p.text, '\n');
    bool good = code == 1 && strncmp(p.text, "millrace: ", 10) == 0 && end && end[1] == 0;

    for (size_t i = 0; words[i]; i++)
        if (!strstr(p.text, words[i])) {
            print_message("it does not say \"%s\"\n", words[i]);
            good = false;
        }
    if (!good) {
        print_message("%s", p.text);
        fail_msg("not a refusal in one sentence: exit code %d", code);
    }
    process_kill(&p);
}
