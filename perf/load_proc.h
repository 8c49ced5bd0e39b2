/* load_proc.h: what /proc tells about the relay's process. Thread: any. No memory. */
#pragma once
#include "core/base.h"

struct mr_load_proc {
    bool known;
    double cpu_s;  /* of all its threads that live */
    double wait_s; /* they could run, but others had the CPU */
    double user_s; /* what the kernel's clock tick splits cpu_s into: coarse, and not */
    double sys_s;  /* quite the same sum */
    uint64_t rss_bytes;
};
/* known is false if there is no such process, or it may not be looked at. */
struct mr_load_proc mr_load_proc_read(int64_t pid);
