
/*
 * Copyright (C) the nginx media suite authors
 *
 * A disk that is slow or broken, for tests: a library that is preloaded
 * (LD_PRELOAD) and does to calls for files below $SLOW_DISK_DIR what
 * $SLOW_DISK_CONTROL says at that moment, lines of
 *
 *     CALL MS ERRNO [TEXT]
 *
 * CALL is open, write, sync, name (mkdir, rename, unlink) or cut (ftruncate);
 * such a call waits for MS, or until another line is there for it, and then
 * fails with ERRNO, unless that is 0; where there is a TEXT, only for paths
 * with it.  "-" as ERRNO of a write: half of it is written, then the disk is
 * full (ENOSPC).
 *
 * Every such call, and what it waited for, is noted in $SLOW_DISK_LOG:
 *
 *     PID TID MS CALL PATH
 *
 * so that it shows which ones were made by the main thread of a process, where
 * TID is PID.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>


#define SLOW_STEP   10                     /* ms, of a wait */
#define SLOW_FULL   (-2)


typedef struct {
    int         ms;
    int         err;
} slow_rule_t;


static void slow_init(void) __attribute__((constructor));
static void *slow_real(const char *name);
static int slow_below(const char *path, size_t n);
static int slow_at(char *buf, int dir, const char *path);
static int slow_fd(char *buf, int fd);
static slow_rule_t slow_rule(const char *call, const char *path);
static int slow_do(const char *call, const char *path);
static int slow_open(int dir, const char *path, int flags, mode_t mode);


static char  slow_dir[PATH_MAX], slow_control[PATH_MAX], slow_log[PATH_MAX];


/* what is preloaded may clear its environment, as nginx does */

static void
slow_init(void)
{
    const char  *dir, *control, *log;

    dir = getenv("SLOW_DISK_DIR");
    control = getenv("SLOW_DISK_CONTROL");
    log = getenv("SLOW_DISK_LOG");

    (void) snprintf(slow_dir, PATH_MAX, "%s", dir ? dir : "");
    (void) snprintf(slow_control, PATH_MAX, "%s", control ? control : "");
    (void) snprintf(slow_log, PATH_MAX, "%s", log ? log : "");
}


/* not open() of the C library, which may be ours */

static int
slow_raw_open(const char *path, int flags)
{
    return (int) syscall(SYS_openat, AT_FDCWD, path, flags|O_CLOEXEC, 0666);
}


static ssize_t
slow_raw_write(int fd, const void *p, size_t n)
{
    return syscall(SYS_write, fd, p, n);
}


static void *
slow_real(const char *name)
{
    void  *f;

    f = dlsym(RTLD_NEXT, name);

    if (f == NULL) {
        abort();
    }

    return f;
}


static int
slow_below(const char *path, size_t n)
{
    size_t  len;

    len = strlen(slow_dir);

    return len && n >= len && memcmp(path, slow_dir, len) == 0
           && (n == len || path[len] == '/');
}


/* the full path of a name: 1 where it is one of ours */

static int
slow_at(char *buf, int dir, const char *path)
{
    int      n;
    char     at[PATH_MAX], link[64];
    ssize_t  len;

    if (path[0] == '/') {
        n = snprintf(buf, PATH_MAX, "%s", path);
        return n > 0 && n < PATH_MAX && slow_below(buf, (size_t) n);
    }

    if (dir == AT_FDCWD) {
        return 0;
    }

    (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);

    len = readlink(link, at, sizeof(at) - 1);

    if (len <= 0) {
        return 0;
    }

    at[len] = '\0';
    n = snprintf(buf, PATH_MAX, "%s/%s", at, path);

    return n > 0 && n < PATH_MAX && slow_below(buf, (size_t) n);
}


static int
slow_fd(char *buf, int fd)
{
    char         link[64];
    ssize_t      len;
    struct stat  st;

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        return 0;
    }

    (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

    len = readlink(link, buf, PATH_MAX - 1);

    if (len <= 0) {
        return 0;
    }

    buf[len] = '\0';

    return slow_below(buf, (size_t) len);
}


static slow_rule_t
slow_rule(const char *call, const char *path)
{
    int          fd;
    char         text[4096], name[32], err[32], match[512], *line, *next;
    ssize_t      n;
    slow_rule_t  rule;

    rule.ms = 0;
    rule.err = 0;

    fd = slow_control[0] ? slow_raw_open(slow_control, O_RDONLY) : -1;

    if (fd == -1) {
        return rule;
    }

    n = syscall(SYS_read, fd, text, sizeof(text) - 1);
    (void) syscall(SYS_close, fd);

    text[n > 0 ? n : 0] = '\0';

    for (line = text; *line; line = next) {
        next = strchr(line, '\n');
        next = next ? next + 1 : line + strlen(line);

        match[0] = '\0';

        if (sscanf(line, "%31s %d %31s %511[^\n]", name, &rule.ms, err, match)
            >= 3
            && strcmp(name, call) == 0
            && (match[0] == '\0' || strstr(path, match)))
        {
            rule.err = (err[0] == '-') ? SLOW_FULL : atoi(err);
            return rule;
        }
    }

    rule.ms = 0;

    return rule;
}


/* waits; gives the error with which the call is to fail */

static int
slow_do(const char *call, const char *path)
{
    int              fd, n, ms, err;
    char             line[PATH_MAX + 128];
    slow_rule_t      rule;
    struct timespec  step;

    err = errno;

    for (ms = 0; /* void */; ms += SLOW_STEP) {
        rule = slow_rule(call, path);

        if (ms >= rule.ms) {
            break;
        }

        step.tv_sec = 0;
        step.tv_nsec = SLOW_STEP * 1000000L;
        (void) nanosleep(&step, NULL);
    }

    fd = slow_log[0] ? slow_raw_open(slow_log, O_WRONLY|O_CREAT|O_APPEND) : -1;

    if (fd != -1) {
        n = snprintf(line, sizeof(line), "%d %d %d %s %s\n", (int) getpid(),
                     (int) syscall(SYS_gettid), ms, call, path);

        if (n > 0 && (size_t) n < sizeof(line)) {
            (void) slow_raw_write(fd, line, (size_t) n);
        }

        (void) syscall(SYS_close, fd);
    }

    errno = err;

    return rule.err;
}


static int
slow_open(int dir, const char *path, int flags, mode_t mode)
{
    int   err;
    char  buf[PATH_MAX];

    static int  (*real)(int, const char *, int, ...);

    if (real == NULL) {
        real = (int (*)(int, const char *, int, ...)) slow_real("openat");
    }

    if (slow_at(buf, dir, path)) {
        err = slow_do("open", buf);

        if (err > 0) {
            errno = err;
            return -1;
        }
    }

    return real(dir, path, flags, mode);
}


static mode_t
slow_mode(int flags, va_list *args)
{
    return (flags & (O_CREAT|O_TMPFILE)) ? (mode_t) va_arg(*args, unsigned)
                                         : 0;
}


#define slow_define_open(name)                                                \
                                                                              \
int                                                                           \
name(const char *path, int flags, ...)                                        \
{                                                                             \
    mode_t   mode;                                                            \
    va_list  args;                                                            \
                                                                              \
    va_start(args, flags);                                                    \
    mode = slow_mode(flags, &args);                                           \
    va_end(args);                                                             \
                                                                              \
    return slow_open(AT_FDCWD, path, flags, mode);                            \
}


#define slow_define_openat(name)                                              \
                                                                              \
int                                                                           \
name(int dir, const char *path, int flags, ...)                               \
{                                                                             \
    mode_t   mode;                                                            \
    va_list  args;                                                            \
                                                                              \
    va_start(args, flags);                                                    \
    mode = slow_mode(flags, &args);                                           \
    va_end(args);                                                             \
                                                                              \
    return slow_open(dir, path, flags, mode);                                 \
}


slow_define_open(open)
slow_define_open(open64)
slow_define_openat(openat)
slow_define_openat(openat64)


/* a write: where half of it is to fit, that half */

static int
slow_write(int fd, size_t *n)
{
    int   err;
    char  buf[PATH_MAX];

    if (!slow_fd(buf, fd)) {
        return 0;
    }

    err = slow_do("write", buf);

    if (err == SLOW_FULL) {
        *n /= 2;
        err = *n ? 0 : ENOSPC;
    }

    return err;
}


ssize_t
write(int fd, const void *p, size_t n)
{
    int  err;

    static ssize_t  (*real)(int, const void *, size_t);

    if (real == NULL) {
        real = (ssize_t (*)(int, const void *, size_t)) slow_real("write");
    }

    err = slow_write(fd, &n);

    if (err) {
        errno = err;
        return -1;
    }

    return real(fd, p, n);
}


static ssize_t
slow_pwrite(int fd, const void *p, size_t n, off_t offset)
{
    int  err;

    static ssize_t  (*real)(int, const void *, size_t, off_t);

    if (real == NULL) {
        real = (ssize_t (*)(int, const void *, size_t, off_t))
                                                        slow_real("pwrite");
    }

    err = slow_write(fd, &n);

    if (err) {
        errno = err;
        return -1;
    }

    return real(fd, p, n, offset);
}


ssize_t
pwrite(int fd, const void *p, size_t n, off_t offset)
{
    return slow_pwrite(fd, p, n, offset);
}


ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t offset)
{
    return slow_pwrite(fd, p, n, (off_t) offset);
}


ssize_t
writev(int fd, const struct iovec *iov, int count)
{
    int     err;
    size_t  n;

    static ssize_t  (*real)(int, const struct iovec *, int);

    if (real == NULL) {
        real = (ssize_t (*)(int, const struct iovec *, int))
                                                        slow_real("writev");
    }

    n = 1;
    err = slow_write(fd, &n);

    if (err) {
        errno = err;
        return -1;
    }

    return real(fd, iov, count);
}


ssize_t
copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t n,
    unsigned flags)
{
    int  err;

    static ssize_t  (*real)(int, off64_t *, int, off64_t *, size_t, unsigned);

    if (real == NULL) {
        real = (ssize_t (*)(int, off64_t *, int, off64_t *, size_t, unsigned))
                                               slow_real("copy_file_range");
    }

    err = slow_write(out, &n);

    if (err) {
        errno = err;
        return -1;
    }

    return real(in, from, out, to, n, flags);
}


static int
slow_simple(const char *call, int fd)
{
    int   err;
    char  buf[PATH_MAX];

    err = slow_fd(buf, fd) ? slow_do(call, buf) : 0;

    if (err > 0) {
        errno = err;
        return -1;
    }

    return 0;
}


int
fsync(int fd)
{
    return slow_simple("sync", fd) ? -1 : (int) syscall(SYS_fsync, fd);
}


int
fdatasync(int fd)
{
    return slow_simple("sync", fd) ? -1 : (int) syscall(SYS_fdatasync, fd);
}


int
ftruncate(int fd, off_t n)
{
    return slow_simple("cut", fd) ? -1 : (int) syscall(SYS_ftruncate, fd, n);
}


int
ftruncate64(int fd, off64_t n)
{
    return slow_simple("cut", fd) ? -1 : (int) syscall(SYS_ftruncate, fd, n);
}


static int
slow_name(int dir, const char *path)
{
    int   err;
    char  buf[PATH_MAX];

    err = slow_at(buf, dir, path) ? slow_do("name", buf) : 0;

    if (err > 0) {
        errno = err;
        return -1;
    }

    return 0;
}


int
mkdirat(int dir, const char *path, mode_t mode)
{
    return slow_name(dir, path) ? -1
           : (int) syscall(SYS_mkdirat, dir, path, mode);
}


int
unlinkat(int dir, const char *path, int flags)
{
    return slow_name(dir, path) ? -1
           : (int) syscall(SYS_unlinkat, dir, path, flags);
}


int
renameat(int from, const char *path, int to, const char *name)
{
    return slow_name(to, name) ? -1
           : (int) syscall(SYS_renameat2, from, path, to, name, 0);
}
