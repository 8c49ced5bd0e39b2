#include "perf/load_proc.h"

#include <dirent.h>
#include <stdio.h>

static bool rss_read(uint64_t *bytes, int64_t pid)
{
    char path[64], line[256];
    unsigned long long kib;
    bool found = false;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%lld/status", (long long)pid);
    if (!(f = fopen(path, "re")))
        return false;
    while (!found && fgets(line, sizeof line, f))
        found = sscanf(line, "VmRSS: %llu kB", &kib) == 1;
    fclose(f);
    if (found)
        *bytes = kib * 1024;
    return found;
}

/* The first two fields of schedstat: nanoseconds on a CPU, and in a queue for one. */
static bool cpu_read(struct mr_load_proc *p, int64_t pid)
{
    char path[384];
    unsigned long long ran, waited;
    struct dirent *entry;
    bool any = false;
    DIR *tasks;

    snprintf(path, sizeof path, "/proc/%lld/task", (long long)pid);
    if (!(tasks = opendir(path)))
        return false;
    while ((entry = readdir(tasks))) {
        FILE *f;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%lld/task/%s/schedstat", (long long)pid, entry->d_name);
        if (!(f = fopen(path, "re")))
            continue;
        if (fscanf(f, "%llu %llu", &ran, &waited) == 2) {
            p->cpu_s += (double)ran / 1e9;
            p->wait_s += (double)waited / 1e9;
            any = true;
        }
        fclose(f);
    }
    closedir(tasks);
    return any;
}

struct mr_load_proc mr_load_proc_read(int64_t pid)
{
    struct mr_load_proc p = {0};

    p.known = pid > 0 && rss_read(&p.rss_bytes, pid) && cpu_read(&p, pid);
    return p;
}
