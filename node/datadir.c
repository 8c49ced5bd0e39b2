#include "node/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hex.h"
#include "crypto/ct.h"
#include "crypto/entropy.h"
#include "crypto/secp.h"

#define KEY_DIGITS 64

static bool fail(char *error, size_t cap, const char *what, const char *path, const char *advice)
{
    snprintf(error, cap, "%s %s: %s: %s", what, path, strerror(errno), advice);
    return false;
}

/* mkdir -p */
static bool make_folders(char *path)
{
    for (char *p = path + 1;; p++) {
        char c = *p;

        if (c && c != '/')
            continue;
        *p = 0;
        if (mkdir(path, 0700) && errno != EEXIST)
            return false;
        *p = c;
        if (!c)
            return true;
    }
}

bool mr_datadir_open(char path[MR_PATH_MAX], const char *dir, char *error, size_t error_cap)
{
    const char *home = getenv("HOME");
    struct stat st;
    int n;

    if (dir[0] == '~' && (dir[1] == '/' || dir[1] == 0))
        n = snprintf(path, MR_PATH_MAX, "%s%s", home && *home ? home : "/root", dir + 1);
    else
        n = snprintf(path, MR_PATH_MAX, "%s", dir);
    if (n <= 0 || n >= MR_PATH_MAX - 64) {
        snprintf(error, error_cap,
                 "--datadir is too long: name a folder in less than 4000 characters");
        return false;
    }
    if (!make_folders(path) || stat(path, &st))
        return fail(error, error_cap, "cannot make --datadir", path,
                    "name a folder that this user may make, or that is there");
    if (!S_ISDIR(st.st_mode)) {
        snprintf(error, error_cap, "--datadir %s is not a folder: name a folder", path);
        return false;
    }
    return true;
}

bool mr_datadir_lock(const char *dir, char *error, size_t error_cap)
{
    char path[MR_PATH_MAX + 8];
    int fd;

    snprintf(path, sizeof path, "%s/LOCK", dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(error, error_cap, "cannot open", path,
                    "this user must be able to write to --datadir");
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        snprintf(error, error_cap,
                 "another millrace runs on --datadir %s: stop it, or give this one its own", dir);
        close(fd);
        return false;
    }
    return true; /* held until the process ends */
}

bool mr_node_key_load(uint8_t key[32], const struct mr_secp *secp, const char *path, char *error,
                      size_t error_cap)
{
    char text[KEY_DIGITS + 2];
    struct stat st;
    size_t bytes = 0;
    ssize_t n;
    bool ok;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return fail(error, error_cap, "cannot read the node key", path,
                    "check the path, and that this user may read it, or make a key with "
                    "`millrace key new`");
    if (fstat(fd, &st) || (st.st_mode & 077)) {
        snprintf(error, error_cap,
                 "the node key %s can be read by others: chmod 600 it, and make a new one if "
                 "somebody may have seen it",
                 path);
        close(fd);
        return false;
    }
    n = read(fd, text, sizeof text);
    close(fd);
    if (n == KEY_DIGITS + 1 && text[KEY_DIGITS] == '\n')
        n--;
    ok = n == KEY_DIGITS && mr_hex_decode(key, &bytes, 32, text, KEY_DIGITS) == MR_OK &&
         bytes == 32 && mr_secp_key_valid(secp, key);
    mr_wipe(text, sizeof text);
    if (!ok)
        snprintf(error, error_cap,
                 "the node key %s is not a private key (64 hexadecimal digits, not zero, below the "
                 "curve's order): name another file, or make a key with `millrace key new`",
                 path);
    return ok;
}

/* Writes text to a new file beside path, and puts it in place only if nothing is there. */
static bool write_new(const char *path, const char *text, size_t n)
{
    char beside[MR_PATH_MAX + 16];
    bool ok;
    int fd;

    snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid());
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    ok = fchmod(fd, 0600) == 0 && write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    ok = ok && link(beside, path) == 0; /* unlike rename it refuses to replace */
    unlink(beside);
    return ok;
}

bool mr_node_key_create(uint8_t key[32], const struct mr_secp *secp, const char *path, char *error,
                        size_t error_cap)
{
    char text[KEY_DIGITS + 1];
    bool ok;

    do {
        if (!mr_entropy(key, 32))
            return fail(error, error_cap, "no randomness for", path,
                        "the system must offer getrandom");
    } while (!mr_secp_key_valid(secp, key));
    mr_hex_encode(text, key, 32);
    text[KEY_DIGITS] = '\n';
    ok = write_new(path, text, sizeof text);
    mr_wipe(text, sizeof text);
    return ok || fail(error, error_cap, "cannot write the node key", path,
                      "name a new file in a folder that this user may write to");
}

bool mr_node_key_open(uint8_t key[32], const struct mr_secp *secp, const char *datadir, char *error,
                      size_t error_cap)
{
    char path[MR_PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/nodekey", datadir);
    if (access(path, F_OK) == 0)
        return mr_node_key_load(key, secp, path, error, error_cap);
    return mr_node_key_create(key, secp, path, error, error_cap);
}
