/* What the kernel is asked for when a ring is made, and what is said when it refuses. */
#include "net/uring/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "net/uring/ring_private.h"

/* From best to plainest. Completions are worked off only when the owner asks (DEFER_TASKRUN, 6.1),
 * or at its next system call (COOP_TASKRUN), or whenever the kernel likes. */
static const unsigned setup_flags[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    0,
};

int mr_ring_setup(struct mr_ring *ring)
{
    int rc = -EINVAL;

    for (unsigned i = ring->options.fallback; i < MR_COUNT_OF(setup_flags) && rc == -EINVAL; i++) {
        struct io_uring_params params = {.flags = setup_flags[i] | IORING_SETUP_R_DISABLED |
                                                  IORING_SETUP_CQSIZE,
                                         .cq_entries = ring->options.completions};
        rc = io_uring_queue_init_params(ring->options.entries, &ring->uring, &params);
    }
    return rc;
}

static const uint8_t operations_used[] = {
    IORING_OP_ACCEPT,   IORING_OP_CONNECT, IORING_OP_RECV,         IORING_OP_SEND,
    IORING_OP_SHUTDOWN, IORING_OP_CLOSE,   IORING_OP_ASYNC_CANCEL, IORING_OP_MSG_RING,
    IORING_OP_READ,     IORING_OP_POLL_ADD};

/* What mr_ring_file_set and mr_ring_close do. */
static const uint8_t registers_used[] = {IORING_REGISTER_FILES_UPDATE, IORING_UNREGISTER_RING_FDS,
                                         IORING_REGISTER_SYNC_CANCEL};

int mr_ring_restrict(struct mr_ring *ring)
{
    struct io_uring_restriction r[MR_COUNT_OF(operations_used) + MR_COUNT_OF(registers_used) + 1];
    unsigned n = 0;

    memset(r, 0, sizeof r);
    for (size_t i = 0; i < MR_COUNT_OF(operations_used); i++, n++) {
        r[n].opcode = IORING_RESTRICTION_SQE_OP;
        r[n].sqe_op = operations_used[i];
    }
    for (size_t i = 0; i < MR_COUNT_OF(registers_used); i++, n++) {
        r[n].opcode = IORING_RESTRICTION_REGISTER_OP;
        r[n].register_op = registers_used[i];
    }
    r[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    r[n++].sqe_flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
    return io_uring_register_restrictions(&ring->uring, r, n);
}

bool mr_ring_kernel_suffices(struct mr_ring *ring)
{
    const unsigned features =
        IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
    struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);
    bool enough = probe && (ring->uring.features & features) == features;

    for (size_t i = 0; enough && i < MR_COUNT_OF(operations_used); i++)
        enough = io_uring_opcode_supported(probe, operations_used[i]);
    /* Multishot receive cannot be asked for; it came with zero-copy send, in 6.0. */
    enough = enough && io_uring_opcode_supported(probe, IORING_OP_SEND_ZC);
    if (probe)
        io_uring_free_probe(probe);
    return enough;
}

/* The value of kernel.io_uring_disabled, -1 where there is none (before 6.6). */
static int disabled_by_sysctl(void)
{
    int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC);
    char c = '0';
    ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, &c, 1);
    close(fd);
    return n == 1 && c >= '0' && c <= '9' ? c - '0' : -1;
}

static void explain_forbidden(char *sentence, size_t cap)
{
    int value = disabled_by_sysctl();

    if (value > 0)
        snprintf(sentence, cap,
                 "io_uring is forbidden by the setting kernel.io_uring_disabled=%d: run "
                 "`sysctl kernel.io_uring_disabled=0`%s",
                 value, value == 1 ? " or put this user into kernel.io_uring_group" : "");
    else
        snprintf(sentence, cap,
                 "io_uring is forbidden by a seccomp filter (the usual default of containers): "
                 "allow io_uring_setup, io_uring_enter and io_uring_register, for example "
                 "with a seccomp profile of your own or `--security-opt seccomp=unconfined`");
}

void mr_ring_explain(char *sentence, size_t cap, const char *what, int error)
{
    struct utsname u = {0};

    switch (error) {
    case EPERM:
    case EACCES:
        explain_forbidden(sentence, cap);
        return;
    case ENOSYS:
    case EINVAL:
    case EOPNOTSUPP:
        uname(&u);
        snprintf(sentence, cap,
                 "the kernel (%s) does not do what is needed of io_uring (%s: %s): Linux 6.1 or "
                 "newer, built with CONFIG_IO_URING",
                 u.release, what, strerror(error));
        return;
    case EMFILE:
    case ENFILE:
        snprintf(sentence, cap,
                 "no descriptor is left for an io_uring: raise the limit of open files (%s)",
                 error == EMFILE ? "ulimit -n, or LimitNOFILE= in the unit" : "sysctl fs.file-max");
        return;
    case ENOMEM:
        snprintf(sentence, cap,
                 "no memory for an io_uring (%s): raise the limit of locked memory (ulimit -l, or "
                 "LimitMEMLOCK= in the unit) or the memory of this machine or container",
                 what);
        return;
    default:
        snprintf(sentence, cap, "io_uring cannot be used: %s: %s", what, strerror(error));
    }
}
