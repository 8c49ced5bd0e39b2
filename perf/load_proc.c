#include "perf/load_proc.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first line of a file below /proc that begins with prefix; line is what follows. */
static bool line_read(char *line, size_t cap, const char *path, const char *prefix)
{
    const size_t n = strlen(prefix);
    bool found = false;
    FILE *f = fopen(path, "re");

    if (!f)
        return false;
    while (!found && fgets(line, (int)cap, f))
        found = strncmp(line, prefix, n) == 0;
    fclose(f);
    if (found)
        memmove(line, line + n, strlen(line + n) + 1);
    return found;
}

static bool rss_read(uint64_t *bytes, int64_t pid)
{
    char path[64], line[256], *end;
    unsigned long long kib;

    snprintf(path, sizeof path, "/proc/%lld/status", (long long)pid);
    if (!line_read(line, sizeof line, path, "VmRSS:"))
        return false;
    kib = strtoull(line, &end, 10);
    if (end == line)
        return false;
    *bytes = kib * 1024;
    return true;
}

/* Fields 14 and 15 of stat, behind a name in brackets that may hold anything. */
static void split_read(struct mr_load_proc *p, const char *path)
{
    const double ticks_per_s = (double)sysconf(_SC_CLK_TCK);
    char line[1024], *at, *end;

    if (!line_read(line, sizeof line, path, "") || !(at = strrchr(line, ')')))
        return;
    for (int field = 2; field < 14 && at; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return;
    p->user_s += (double)strtoull(at, &end, 10) / ticks_per_s;
    p->sys_s += (double)strtoull(end, NULL, 10) / ticks_per_s;
}

/* The first two fields of schedstat: nanoseconds on a CPU, and in a queue for one. */
static bool cpu_read(struct mr_load_proc *p, int64_t pid)
{
    char path[384], line[256], *end;
    struct dirent *entry;
    bool any = false;
    DIR *tasks;

    snprintf(path, sizeof path, "/proc/%lld/task", (long long)pid);
    if (!(tasks = opendir(path)))
        return false;
    while ((entry = readdir(tasks))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%lld/task/%s/schedstat", (long long)pid, entry->d_name);
        if (!line_read(line, sizeof line, path, ""))
            continue;
        p->cpu_s += (double)strtoull(line, &end, 10) / 1e9;
        p->wait_s += (double)strtoull(end, NULL, 10) / 1e9;
        snprintf(path, sizeof path, "/proc/%lld/task/%s/stat", (long long)pid, entry->d_name);
        split_read(p, path);
        any = true;
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
