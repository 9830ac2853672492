/*
 * Records what a process does to the files under one folder, for the power-loss test.
 *
 * Preloaded (LD_PRELOAD), it stands between the program and the C library: every call that changes a file, a name or
 * what is durable goes on to the kernel, and if it succeeded is written to a log, in the order in which it happened.
 * What the program prints on its standard output is in the log too: those are its acknowledgements.
 *
 *   RECORD_ROOT   the folder to watch      RECORD_LOG   where the log goes
 *
 * One record: u32 kind, i32 fd, i64 a, i64 b, u32 length, then that many bytes. Numbers in the machine's order. The kinds
 * are those of replay.rs. Calls that bypass the C library are not seen; the standard library of Rust makes none on
 * files.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
    OPEN = 1, CLOSE, WRITE, TRUNCATE, SYNC, SYNC_DATA, SYNC_RANGE, RENAME, REMOVE, MAKE_DIR, PRINTED, DUPLICATE, EXTEND
};

#define FDS_MAX 65536

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static unsigned char watched[FDS_MAX];
static const char *root;
static int log_fd = -1;

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("RECORD_LOG");
    root = getenv("RECORD_ROOT");
    if (root && path)
        log_fd = syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
}

static int recording(void) { return log_fd >= 0; }

static int inside(const char *path) { return recording() && path && strncmp(path, root, strlen(root)) == 0; }

static int is_watched(int fd) { return fd >= 0 && fd < FDS_MAX && watched[fd]; }

static void record(uint32_t kind, int32_t fd, int64_t a, int64_t b, const void *bytes, uint32_t length)
{
    struct __attribute__((packed)) { uint32_t kind; int32_t fd; int64_t a, b; uint32_t length; } head =
        { kind, fd, a, b, length };
    struct iovec parts[2] = { { &head, sizeof head }, { (void *)bytes, length } };
    if (recording() && syscall(SYS_writev, log_fd, parts, length ? 2 : 1) != (long)(sizeof head + length))
        abort(); /* half a log proves nothing */
}

static void lock(void) { pthread_mutex_lock(&order); }

static long unlock(long result)
{
    int error = errno;
    pthread_mutex_unlock(&order);
    errno = error;
    return result;
}

/* ---- opening and closing ---- */

static int do_open(int at, const char *path, int flags, mode_t mode)
{
    lock();
    long fd = syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0 && fd < FDS_MAX) {
        struct stat about;
        watched[fd] = inside(path) && fstat((int)fd, &about) == 0;
        if (watched[fd])
            record(OPEN, (int)fd, (flags & O_TRUNC) != 0, S_ISDIR(about.st_mode), path, strlen(path));
    }
    return unlock(fd);
}

#define MODE_OF(flags) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, int); va_end(rest); }

int open(const char *path, int flags, ...) { MODE_OF(flags) return do_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags) return do_open(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE_OF(flags) return do_open(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE_OF(flags) return do_open(at, path, flags, mode); }

int close(int fd)
{
    lock();
    if (is_watched(fd)) {
        record(CLOSE, fd, 0, 0, NULL, 0);
        watched[fd] = 0;
    }
    return unlock(syscall(SYS_close, fd));
}

static int do_fcntl(int fd, int command, void *argument)
{
    lock();
    long result = syscall(SYS_fcntl, fd, command, argument);
    if (result >= 0 && result < FDS_MAX && (command == F_DUPFD || command == F_DUPFD_CLOEXEC)) {
        watched[result] = is_watched(fd);
        if (watched[result])
            record(DUPLICATE, fd, result, 0, NULL, 0);
    }
    return unlock(result);
}

#define ARGUMENT_OF(command) \
    va_list rest; va_start(rest, command); void *argument = va_arg(rest, void *); va_end(rest);

int fcntl(int fd, int command, ...) { ARGUMENT_OF(command) return do_fcntl(fd, command, argument); }
int fcntl64(int fd, int command, ...) { ARGUMENT_OF(command) return do_fcntl(fd, command, argument); }

/* ---- content ---- */

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at)
{
    lock();
    long written = syscall(SYS_pwrite64, fd, bytes, length, at);
    if (written > 0 && is_watched(fd))
        record(WRITE, fd, at, 0, bytes, written);
    return unlock(written);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return pwrite64(fd, bytes, length, at); }

ssize_t write(int fd, const void *bytes, size_t length)
{
    lock();
    off_t at = 0;
    if (is_watched(fd)) {
        int append = syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND;
        at = syscall(SYS_lseek, fd, 0, append ? SEEK_END : SEEK_CUR);
    }
    long written = syscall(SYS_write, fd, bytes, length);
    if (written > 0 && is_watched(fd))
        record(WRITE, fd, at, 0, bytes, written);
    if (written > 0 && fd == STDOUT_FILENO)
        record(PRINTED, fd, 0, 0, bytes, written);
    return unlock(written);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        if (!parts[i].iov_len)
            continue;
        ssize_t written = write(fd, parts[i].iov_base, parts[i].iov_len);
        if (written < 0)
            return total ? total : written;
        total += written;
        if ((size_t)written < parts[i].iov_len)
            break;
    }
    return total;
}

int ftruncate64(int fd, off64_t length)
{
    lock();
    long result = syscall(SYS_ftruncate, fd, length);
    if (result == 0 && is_watched(fd))
        record(TRUNCATE, fd, length, 0, NULL, 0);
    return unlock(result);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fallocate64(int fd, int mode, off64_t at, off64_t length)
{
    lock();
    long result = syscall(SYS_fallocate, fd, mode, at, length);
    if (result == 0 && is_watched(fd) && mode == 0)
        record(EXTEND, fd, at + length, 0, NULL, 0);
    return unlock(result);
}

int fallocate(int fd, int mode, off_t at, off_t length) { return fallocate64(fd, mode, at, length); }

int posix_fallocate(int fd, off_t at, off_t length) { return fallocate64(fd, 0, at, length) ? errno : 0; }

int posix_fallocate64(int fd, off64_t at, off64_t length) { return fallocate64(fd, 0, at, length) ? errno : 0; }

/* ---- what is durable ---- */

int fsync(int fd)
{
    lock();
    long result = syscall(SYS_fsync, fd);
    if (result == 0 && is_watched(fd))
        record(SYNC, fd, 0, 0, NULL, 0);
    return unlock(result);
}

int fdatasync(int fd)
{
    lock();
    long result = syscall(SYS_fdatasync, fd);
    if (result == 0 && is_watched(fd))
        record(SYNC_DATA, fd, 0, 0, NULL, 0);
    return unlock(result);
}

int sync_file_range(int fd, off64_t at, off64_t length, unsigned flags)
{
    lock();
    long result = syscall(SYS_sync_file_range, fd, at, length, flags);
    if (result == 0 && is_watched(fd))
        record(SYNC_RANGE, fd, at, length, NULL, 0);
    return unlock(result);
}

/* ---- names ---- */

int rename(const char *from, const char *to)
{
    lock();
    long result = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (result == 0 && (inside(from) || inside(to))) {
        char both[8192];
        int length = snprintf(both, sizeof both, "%s%c%s", from, 1, to);
        if (length >= (int)sizeof both)
            abort();
        record(RENAME, -1, 0, 0, both, length);
    }
    return unlock(result);
}

int unlinkat(int at, const char *path, int flags)
{
    lock();
    long result = syscall(SYS_unlinkat, at, path, flags);
    if (result == 0 && inside(path))
        record(REMOVE, -1, 0, 0, path, strlen(path));
    return unlock(result);
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdir(const char *path, mode_t mode)
{
    lock();
    long result = syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (result == 0 && inside(path))
        record(MAKE_DIR, -1, 0, 0, path, strlen(path));
    return unlock(result);
}
