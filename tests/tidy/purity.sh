#!/bin/sh
# purity.sh ARCHIVE...: protocol and shard code keeps no writable state outside of its arguments, reads no clock, draws
# no randomness and does no I/O. Looks at the compiled objects of the archives, but those that bind them to the rings.
set -u
status=0
excepted='^(worker|worker_connections|dispatch_loop|blob_service|runtime)\.c\.o$'
forbidden='clock_gettime|clock_nanosleep|time|gettimeofday|nanosleep|usleep|sleep|getrandom|getentropy|rand|random|open|openat|fopen|creat|read|write|pread|pwrite|readv|writev|recv|recvmsg|recvfrom|send|sendmsg|sendto|socket|accept4?|connect|bind|listen|ioctl|fcntl|epoll_[a-z_]*|poll|select|eventfd|syscall|io_uring_[a-z_]*|printf|puts|getenv|pthread_create|mr_clock_now[a-z_]*'

for archive in "$@"; do
    # One line a symbol: Name | Value | Class | Type | Size | Line | Section, under a head that names the object.
    nm -f sysv "$archive" | awk -F'|' -v excepted="$excepted" -v forbidden="^($forbidden)\$" '
        /^Symbols from / { object = $0; sub(/.*\[/, "", object); sub(/\].*/, "", object) }
        NF < 7 || object ~ excepted { next }
        {
            name = $1; section = $7; gsub(/ /, "", name); gsub(/ /, "", section)
            plain = name; sub(/\.[0-9]+$/, "", plain); sub(/@.*/, "", plain)
            if (section ~ /^\.(data|bss|tdata|tbss)/ && section !~ /^\.data\.rel\.ro/ && plain !~ /(^|\.)mr_log_site_here$/) {
                printf "%s: %s is writable state (%s)\n", object, name, section; bad = 1
            }
            if (section == "*UND*" && plain ~ forbidden) {
                printf "%s: calls %s\n", object, plain; bad = 1
            }
        }
        END { exit bad }' || status=1
done
exit $status
