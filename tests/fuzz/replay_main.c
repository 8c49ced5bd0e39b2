/* A main for a fuzz target without libFuzzer: feeds it the files (and the files of the folders)
 * named as arguments, then a fixed number of made-up inputs: random bytes, and mutations of those
 * files. The same inputs on every run; MR_FUZZ_RUNS changes their number (2,000). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_MAX 65536
#define SEEDS_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

struct input {
    uint8_t *bytes;
    size_t n;
};

static struct input seeds[SEEDS_MAX];
static size_t seeds_count;
static const uint8_t *volatile current;
static volatile size_t current_n;

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Leaves the input that broke the target where it can be replayed from. */
static void on_crash(int sig)
{
    static const char said[] = "the input that did it is in replay-crash.bin\n";
    int fd = open("replay-crash.bin", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd >= 0 && write(fd, (const void *)current, current_n) == (ssize_t)current_n)
        (void)!write(2, said, sizeof said - 1);
    signal(sig, SIG_DFL);
    raise(sig);
}

/* Copied to memory of exactly its size, so that reading behind it is seen. */
static void run_one(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);

    if (!copy)
        abort();
    if (n)
        memcpy(copy, bytes, n);
    current = copy;
    current_n = n;
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void seed_load(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct input s = {.bytes = malloc(INPUT_MAX)};

    if (!f || !s.bytes || seeds_count == SEEDS_MAX) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(2);
    }
    s.n = fread(s.bytes, 1, INPUT_MAX, f);
    fclose(f);
    seeds[seeds_count++] = s;
}

static int not_hidden(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static void seeds_load(const char *path)
{
    struct stat st;
    struct dirent **names;
    int n;

    if (stat(path, &st) != 0)
        return; /* a target without a corpus */
    if (!S_ISDIR(st.st_mode)) {
        seed_load(path);
        return;
    }
    n = scandir(path, &names, not_hidden, alphasort);
    for (int i = 0; i < n; i++) {
        char file[4096];

        if ((size_t)snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name) < sizeof file)
            seed_load(file);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

/* Mostly short, sometimes long; bytes that codecs find interesting come up more often. */
static size_t make_random(uint8_t *out, uint64_t *rng)
{
    static const uint8_t interesting[] = {0x00, 0x01, 0x7f, 0x80, 0x81, 0xb7, 0xb8,
                                          0xbf, 0xc0, 0xc1, 0xf7, 0xf8, 0xff};
    size_t n = random_next(rng) % (random_next(rng) % 8 == 0 ? 4096 : 128);

    for (size_t i = 0; i < n; i++) {
        uint64_t r = random_next(rng);

        out[i] = r % 3 == 0 ? interesting[(r >> 8) % sizeof interesting] : (uint8_t)(r >> 8);
    }
    return n;
}

static size_t mutate_once(uint8_t *b, size_t n, uint64_t *rng)
{
    uint64_t r = random_next(rng);
    size_t at = n ? random_next(rng) % n : 0;
    size_t other = n ? random_next(rng) % n : 0;

    if (n == 0)
        return make_random(b, rng);
    switch (r % 6) {
    case 0:
        b[at] ^= (uint8_t)(1u << (r >> 8) % 8);
        return n;
    case 1:
        b[at] = (uint8_t)(r >> 8);
        return n;
    case 2:
        return at;
    case 3: /* a byte more */
        if (n == INPUT_MAX)
            return n;
        memmove(b + at + 1, b + at, n - at);
        b[at] = (uint8_t)(r >> 8);
        return n + 1;
    case 4: /* a byte less */
        memmove(b + at, b + at + 1, n - at - 1);
        return n - 1;
    default: /* one part over another */
        memmove(b + at, b + other, n - (at > other ? at : other));
        return n;
    }
}

static size_t make_input(uint8_t *out, uint64_t *rng)
{
    const struct input *s;
    size_t n, steps;

    if (seeds_count == 0 || random_next(rng) % 4 == 0)
        return make_random(out, rng);
    s = &seeds[random_next(rng) % seeds_count];
    memcpy(out, s->bytes, s->n);
    n = s->n;
    steps = 1 + random_next(rng) % 4;
    for (size_t i = 0; i < steps; i++)
        n = mutate_once(out, n, rng);
    return n;
}

int main(int argc, char **argv)
{
    static uint8_t buf[INPUT_MAX];
    const char *runs_text = getenv("MR_FUZZ_RUNS");
    unsigned long runs = runs_text ? strtoul(runs_text, NULL, 10) : 2000;
    uint64_t rng = 1;

    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        seeds_load(argv[i]);
    run_one(buf, 0);
    for (size_t i = 0; i < seeds_count; i++)
        run_one(seeds[i].bytes, seeds[i].n);
    for (unsigned long i = 0; i < runs; i++) {
        size_t n = make_input(buf, &rng);

        run_one(buf, n);
    }
    printf("%zu seeds and %lu made-up inputs\n", seeds_count, runs);
    for (size_t i = 0; i < seeds_count; i++)
        free(seeds[i].bytes);
    return 0;
}
