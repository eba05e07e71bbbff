#include "worker/convert/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOBODY = 65534 };

/* --- landlock --- */

/* As newer headers have it; what an older kernel does not know must be 0. */
struct ruleset {
    uint64_t handled_fs, handled_net, scoped;
};

#define FS_UP_TO_1 ((UINT64_C(1) << 13) - 1)
#define FS_REFER (UINT64_C(1) << 13)     /* ABI 2 */
#define FS_TRUNCATE (UINT64_C(1) << 14)  /* ABI 3 */
#define NET_TCP UINT64_C(3)              /* ABI 4: bind, connect */
#define FS_IOCTL_DEV (UINT64_C(1) << 15) /* ABI 5 */
#define SCOPE_ALL UINT64_C(3)            /* ABI 6: abstract sockets, signals */

static struct ruleset rules_of(long abi)
{
    struct ruleset r = {.handled_fs = FS_UP_TO_1};

    if (abi >= 2)
        r.handled_fs |= FS_REFER;
    if (abi >= 3)
        r.handled_fs |= FS_TRUNCATE;
    if (abi >= 4)
        r.handled_net = NET_TCP;
    if (abi >= 5)
        r.handled_fs |= FS_IOCTL_DEV;
    if (abi >= 6)
        r.scoped = SCOPE_ALL;
    return r;
}

static bool allow(int ruleset_fd, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access};

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return false;
    bool fine = syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH,
                        &rule, 0) == 0;
    (void)close(rule.parent_fd);
    return fine;
}

static bool enter_landlock(void)
{
    long abi =
        syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (abi < 1)
        return false;
    struct ruleset r = rules_of(abi);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &r, sizeof r, 0);
    if (fd < 0)
        return false;
    uint64_t reading = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                       LANDLOCK_ACCESS_FS_READ_DIR;
    uint64_t null = LANDLOCK_ACCESS_FS_WRITE_FILE | (r.handled_fs & FS_TRUNCATE);
    bool fine = allow(fd, "/", reading) && allow(fd, "/dev/null", null) &&
                syscall(SYS_landlock_restrict_self, fd, 0) == 0;
    (void)close(fd);
    return fine;
}

/* --- seccomp --- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE

#define LOAD(field)                                                                    \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, (what))
/* The next one is left out unless the value is, or is at least, this. */
#define IF_IS(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, 1)
#define IF_FROM(value) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(value), 0, 1)
#define REFUSE(number) IF_IS(number), ANSWER(SECCOMP_RET_ERRNO | EPERM)

enum { X32_BIT = 0x40000000, FCHMODAT2 = 452, SETXATTRAT = 463, REMOVEXATTRAT = 466 };

static const struct sock_filter filter[] = {
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
    ANSWER(SECCOMP_RET_KILL_PROCESS), /* numbers that mean other calls */
    LOAD(nr),
#ifdef __x86_64__
    IF_FROM(X32_BIT),
    ANSWER(SECCOMP_RET_ERRNO | ENOSYS),
#endif
    REFUSE(SYS_socket),
    REFUSE(SYS_io_uring_setup),
    REFUSE(SYS_setsid),
    REFUSE(SYS_setpgid),
    REFUSE(SYS_truncate),
    REFUSE(SYS_fchmod),
    REFUSE(SYS_fchmodat),
    REFUSE(FCHMODAT2),
    REFUSE(SYS_fchown),
    REFUSE(SYS_fchownat),
    REFUSE(SYS_utimensat),
    REFUSE(SYS_setxattr),
    REFUSE(SYS_lsetxattr),
    REFUSE(SYS_fsetxattr),
    REFUSE(SETXATTRAT),
    REFUSE(SYS_removexattr),
    REFUSE(SYS_lremovexattr),
    REFUSE(SYS_fremovexattr),
    REFUSE(REMOVEXATTRAT),
#ifdef __x86_64__
    REFUSE(SYS_chmod),
    REFUSE(SYS_chown),
    REFUSE(SYS_lchown),
    REFUSE(SYS_utime),
    REFUSE(SYS_utimes),
    REFUSE(SYS_futimesat),
#endif
    REFUSE(SYS_ptrace),
    REFUSE(SYS_process_vm_readv),
    REFUSE(SYS_process_vm_writev),
    REFUSE(SYS_pidfd_getfd),
    REFUSE(SYS_unshare),
    REFUSE(SYS_setns),
    REFUSE(SYS_mount),
    REFUSE(SYS_bpf),
    REFUSE(SYS_perf_event_open),
    REFUSE(SYS_userfaultfd),
    REFUSE(SYS_add_key),
    REFUSE(SYS_request_key),
    REFUSE(SYS_keyctl),
    ANSWER(SECCOMP_RET_ALLOW),
};

static bool enter_seccomp(void)
{
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0],
                                 .filter = (struct sock_filter *)(void *)filter};

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

#else

static bool enter_seccomp(void)
{
    return false; /* the numbers of its calls are not known here */
}

#endif

/* --- who it is --- */

/* False: it is root and stays so. */
static bool give_up_root(void)
{
    if (geteuid() != 0)
        return true;
    (void)setgroups(0, NULL);
    return setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
           setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

/* The limit comes after the namespace: one that was in force before would count all processes of the user outside. */
static bool enter_userns(int64_t processes_max)
{
    struct rlimit limit = {.rlim_cur = (rlim_t)processes_max,
                           .rlim_max = (rlim_t)processes_max};

    return unshare(CLONE_NEWUSER) == 0 && setrlimit(RLIMIT_NPROC, &limit) == 0;
}

unsigned sandbox_wanted(int64_t processes_max)
{
    return SANDBOX_LANDLOCK | SANDBOX_SECCOMP |
           (processes_max > 0 ? (unsigned)SANDBOX_USERNS : 0);
}

unsigned sandbox_enter(int64_t processes_max)
{
    unsigned parts = 0;

    if (give_up_root() && processes_max > 0 && enter_userns(processes_max))
        parts |= SANDBOX_USERNS;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return parts;
    if (enter_landlock())
        parts |= SANDBOX_LANDLOCK;
    if (enter_seccomp())
        parts |= SANDBOX_SECCOMP;
    return parts;
}

void sandbox_format(unsigned parts, char ret[static SANDBOX_TEXT_SIZE])
{
    static const char *const names[] = {"landlock", "seccomp", "userns"};
    size_t used = 0;

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!(parts & 1U << i))
            continue;
        if (used > 0)
            ret[used++] = ',';
        memcpy(ret + used, names[i], strlen(names[i]));
        used += strlen(names[i]);
    }
    memcpy(ret + used, used > 0 ? "" : "none", used > 0 ? 1 : sizeof "none");
}
