#include "perf/load_proc.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
