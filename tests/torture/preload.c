#include "tests/torture/preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FRAMES = 16 };

static struct torture_control *_Atomic control;
/* Looking for the place of a hit may itself call what is wrapped. */
static __thread bool is_inside __attribute__((tls_model("initial-exec")));

void torture_find(const char *name, void *ret)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found)
        abort();
    memcpy(ret, &found, sizeof found);
}

/* By system calls alone: the wrappers are not asked. */
static void *map_control(const char *path)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);

    if (fd < 0)
        return NULL;
    /* 3: PROT_READ | PROT_WRITE; 1: MAP_SHARED */
    long at = syscall(SYS_mmap, NULL, sizeof(struct torture_control), 3L, 1L, fd, 0L);
    (void)syscall(SYS_close, fd);
    return at < 0 && at > -4096 ? NULL : (void *)(uintptr_t)at;
}

__attribute__((constructor)) static void set_up(void)
{
    void *frames[2];
    const char *path = getenv(TORTURE_VARIABLE);

    (void)backtrace(frames, 2); /* the first one loads a library */
    if (path)
        atomic_store(&control, map_control(path));
}

/* LeakSanitizer knows what the loader allocates by who calls malloc, which is now this library. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:_dl_\nleak:dl_open\nleak:ld-linux\n";
}

static size_t put(char *at, size_t room, const char *text)
{
    size_t len = 0;

    for (; len < room && text[len]; len++)
        at[len] = text[len];
    return len;
}

static size_t put_hex(char *at, size_t room, uintptr_t n)
{
    char text[2 * sizeof n + 1];
    size_t i = sizeof text - 1;

    text[i] = '\0';
    do
        text[--i] = "0123456789abcdef"[n % 16];
    while ((n /= 16) > 0 && i > 0);
    return put(at, room, text + i);
}

/* Where it happens, as FILE+0xOFFSET for addr2line. */
static void note_place(struct torture_control *c)
{
    void *frames[FRAMES];
    Dl_info own;
    size_t at = 0;

    if (atomic_exchange(&c->place_taken, 1) != 0)
        return;
    int count = backtrace(frames, FRAMES);
    if (dladdr(&control, &own) == 0)
        own.dli_fbase = NULL;
    for (int i = 0; i < count && at < TORTURE_PLACE - 32; i++) {
        Dl_info info;
        if (dladdr(frames[i], &info) == 0 || !info.dli_fname ||
            info.dli_fbase == own.dli_fbase || strstr(info.dli_fname, "/libasan."))
            continue;
        const char *slash = strrchr(info.dli_fname, '/');
        uintptr_t offset = (uintptr_t)frames[i] - (uintptr_t)info.dli_fbase;
        at += put(c->place + at, TORTURE_PLACE - 32 - at,
                  slash ? slash + 1 : info.dli_fname);
        at += put(c->place + at, TORTURE_PLACE - 1 - at, "+0x");
        at += put_hex(c->place + at, TORTURE_PLACE - 1 - at, offset);
        at += put(c->place + at, TORTURE_PLACE - 1 - at, " ");
    }
    c->place[at] = '\0';
    atomic_store(&c->place_filled, 1);
}

enum torture_action torture_ask(enum torture_call call, const void *from)
{
    struct torture_control *c = atomic_load(&control);

    (void)from;
    if (!c || is_inside || !atomic_load(&c->armed))
        return TORTURE_PASS;
    (void)atomic_fetch_add(&c->seen[call], 1);
    if (!(c->calls >> call & 1))
        return TORTURE_PASS;
    int64_t k = atomic_fetch_add(&c->matched, 1) + 1;
    bool due = c->every ? k % c->every == 0 : k >= c->n && k < c->n + c->many;
    if (!due || c->action == TORTURE_PASS)
        return TORTURE_PASS;
    is_inside = true;
    note_place(c);
    (void)atomic_fetch_add(&c->hits, 1);
    if (c->action == TORTURE_KILL) {
        (void)kill(getpid(), SIGKILL);
        for (;;)
            (void)pause();
    }
    is_inside = false;
    errno = c->error;
    return (enum torture_action)c->action;
}

bool torture_fails(enum torture_call call, const void *from)
{
    return torture_ask(call, from) == TORTURE_ERROR;
}

/* What has no type of a file (eventfd, signalfd) fails by EINTR alone, and is never written or read in part; what never
 * makes anybody wait (a regular file) has no EAGAIN.  libuv and others rely on it, and may. */
static bool can_be(const struct torture_control *c, enum torture_action action, int fd)
{
    struct stat st;

    if (syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) != 0)
        return true;
    if ((st.st_mode & S_IFMT) == 0)
        return action == TORTURE_ERROR && c->error == EINTR;
    return c->error != EAGAIN || action != TORTURE_ERROR || !S_ISREG(st.st_mode);
}

/* Only bytes can come in part: an eventfd gives eight or none. */
static bool has_bytes(int fd)
{
    struct stat st;

    return syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) == 0 &&
           (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode));
}

bool torture_cuts(enum torture_call call, const void *from, int fd, size_t *len)
{
    enum torture_action action = torture_ask(call, from);

    if (action != TORTURE_PASS && !can_be(atomic_load(&control), action, fd))
        return true;
    if (action == TORTURE_SHORT && *len > 1 && has_bytes(fd))
        *len = 1;
    return action != TORTURE_ERROR;
}

/* As the kernel does: what could not be written is gone, and the next sync of the file would go well. */
void torture_lose(int fd)
{
    static const char nothing[4096];
    struct torture_control *c = atomic_load(&control);
    struct stat st;

    if (!c || c->error != EIO ||
        syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) != 0 ||
        !S_ISREG(st.st_mode))
        return;
    for (off_t at = 0; at < st.st_size; at += (off_t)sizeof nothing) {
        off_t left = st.st_size - at;
        size_t n = left < (off_t)sizeof nothing ? (size_t)left : sizeof nothing;
        if (syscall(SYS_pwrite64, fd, nothing, n, at) < 0)
            break; /* only open for reading: nothing was written by it */
    }
    errno = EIO;
}

void torture_live(int more)
{
    struct torture_control *c = atomic_load(&control);

    if (c)
        (void)atomic_fetch_add(&c->live, more);
}
