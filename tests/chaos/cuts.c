#include "tests/chaos/cuts.h"

#include "shared/cleanup.h"
#include "tests/chaos/clients.h"
#include "tests/chaos/disk.h"
#include "tests/chaos/rig.h"
#include "tests/support/wait_until.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    DISK_BYTES = 256 << 20,
    LOAD_MIN_MS = 200,
    LEASE_MS = 2000, /* for so long a job that was running waits for its next worker */
    SETTLE_MS = 30000,
    UPLOAD_MAX = 512 << 10,
    CLIENT_THREADS = 8,
    CLIENT_RATE = 1500, /* what the disk has room for */
    IDLE_EVERY = 3,     /* so many cuts have one without a worker */
    WALK_FDS = 16
};

struct cuts {
    const struct cuts_options *o;
    struct tmpdir dir;
    struct tmpdir_file mount, spool, redis_dir, objects, ledger_path;
    struct disk disk;
    struct rig rig;
    uint64_t dice;
};

static void must(enum err_code code, const struct err *e)
{
    if (code == ERR_OK)
        return;
    fprintf(stderr, "powercut: %s\n", e->text);
    abort();
}

/* splitmix64 */
static uint64_t draw(struct cuts *c)
{
    uint64_t z = c->dice += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void make_dir(const char *path)
{
    if (mkdir(path, 0700) < 0) {
        perror(path);
        abort();
    }
}

/* What is on the disk now is old: a cut shall take none of it. */
static void sync_disk(const struct cuts *c)
{
    CLEANUP(fd_close) int fd = open(c->mount.path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || syncfs(fd) < 0) {
        perror("powercut: syncfs");
        abort();
    }
}

static void open_all(struct cuts *c)
{
    struct err e = ERR_INIT;

    tmpdir_make(&c->dir);
    c->mount = tmpdir_file(&c->dir, "disk");
    c->spool = tmpdir_file(&c->dir, "disk/spool");
    c->redis_dir = tmpdir_file(&c->dir, "disk/redis");
    c->objects = tmpdir_file(&c->dir, c->o->inside ? "disk/objects" : "objects");
    make_dir(c->mount.path);
    must(disk_open(&c->disk, c->mount.path, DISK_BYTES, &e), &e);
    make_dir(c->redis_dir.path);
    make_dir(c->objects.path);
    rig_init(&c->rig, &(struct rig_options){.build = c->o->build,
                                            .spool = c->spool.path,
                                            .redis_dir = c->redis_dir.path,
                                            .objects = c->objects.path,
                                            .lease_ms = LEASE_MS});
    rig_start_redis(&c->rig);
    sync_disk(c); /* before the responder: its directories are its own to sync */
    rig_start_fcgi(&c->rig, NULL);
    rig_start_worker(&c->rig, 0);
    rig_start_nginx(&c->rig);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    return at->level > 0 ? remove(path) : 0;
}

/* --- One cut --- */

static struct clients *start_clients(struct cuts *c, int number, struct ledger *ledger)
{
    struct clients *clients = NULL;
    struct err e = ERR_INIT;
    struct clients_options o = {
        .address = c->rig.address,
        .ledger = ledger,
        .plan = {.seed = c->o->seed + (uint64_t)number, .max_bytes = UPLOAD_MAX},
        .threads = CLIENT_THREADS,
        .rate = CLIENT_RATE,
        .slow_ms = LOAD_MIN_MS,
        .backoff_max_ms = LOAD_MIN_MS,
        .plain = true};

    must(clients_start(&o, &clients, &e), &e);
    return clients;
}

/* Load, then the cut, and all is dead.  Returns how long the load was. */
static int64_t load_and_cut(struct cuts *c, int number)
{
    int64_t span = (int64_t)(c->o->seconds * 1000) - LOAD_MIN_MS;
    int64_t load_ms =
        LOAD_MIN_MS + (span > 0 ? (int64_t)(draw(c) % (uint64_t)span) : 0);
    struct ledger *ledger = NULL;
    struct err e = ERR_INIT;
    char name[32];

    (void)snprintf(name, sizeof name, "ledger-%d", number);
    c->ledger_path = tmpdir_file(&c->dir, name);
    must(ledger_open(c->ledger_path.path, &ledger, &e), &e);
    if (number % IDLE_EVERY == 0)
        spawn_kill(&c->rig.workers[0]); /* all that is accepted waits for the cut */
    struct clients *clients = start_clients(c, number, ledger);
    /* The instant of a cut is a matter of time, not of an event. */
    (void)nanosleep(&(struct timespec){.tv_sec = load_ms / 1000,
                                       .tv_nsec = load_ms % 1000 * 1000000},
                    NULL);
    must(disk_cut(&c->disk, &e), &e);
    rig_kill(&c->rig);
    clients_stop(clients);
    must(clients_error(clients, &e), &e);
    struct clients_counts counts = clients_counts(clients);
    if (counts.wrong + counts.cut_accepted > 0)
        printf("powercut: an answer that cannot be: %s\n", counts.example);
    clients_free(clients);
    ledger_close(ledger);
    return load_ms;
}

static bool cut_once(struct cuts *c, int number, struct cuts_sum *sum)
{
    char left[256] = "";
    struct err e = ERR_INIT;

    int64_t load_ms = load_and_cut(c, number);
    must(disk_revive(&c->disk, &e), &e);
    int64_t began_ms = wait_now_ms(), repairs = c->rig.aof_repairs;
    rig_start_redis(&c->rig);
    int64_t forgotten = rig_unknown_to_redis(&c->rig);
    rig_start_fcgi(&c->rig, NULL);
    rig_start_worker(&c->rig, 0);
    bool settled = rig_settle(&c->rig, SETTLE_MS, left, sizeof left);
    int64_t back_ms = wait_now_ms() - began_ms;
    struct check_result r = rig_judge(&c->rig, c->ledger_path.path, 1);
    printf(
        "cut %3d  load %4lld ms  accepted %5lld  in flight %3lld  forgotten by Redis "
        "%5lld  back in %5lld ms  objects %5lld  lost %lld  partial %lld  "
        "doubles %lld%s\n",
        number, (long long)load_ms, (long long)r.accepted, (long long)r.unknown,
        (long long)forgotten, (long long)back_ms, (long long)r.objects,
        (long long)r.lost, (long long)r.partial, (long long)r.duplicates,
        c->rig.aof_repairs > repairs ? "  AOF repaired" : "");
    sum->cuts++;
    sum->aof_repairs += c->rig.aof_repairs - repairs;
    sum->accepted += r.accepted;
    sum->unknown += r.unknown;
    sum->forgotten += forgotten;
    sum->lost += r.lost;
    sum->partial += r.partial;
    sum->duplicates += r.duplicates;
    sum->orphans += r.orphans;
    if (settled && check_passed(&r))
        return true;
    if (!settled)
        printf("powercut: not all has ended: %s\n", left);
    check_print(stdout, &r);
    return false;
}

bool cuts_run(const struct cuts_options *o, struct cuts_sum *sum)
{
    struct cuts c = {.o = o, .disk = DISK_INIT, .dice = o->seed};
    bool fine = true;

    open_all(&c);
    for (int i = 1; fine && i <= o->cuts; i++) {
        fine = cut_once(&c, i, sum);
        (void)fflush(stdout);
        if (fine && nftw(c.objects.path, remove_one, WALK_FDS, FTW_DEPTH | FTW_PHYS))
            perror("powercut: remove the objects");
        sync_disk(&c);
    }
    bool keep = o->keep || !fine;
    if (keep) /* the disk goes with this place */
        printf("powercut: ledgers in %s, logs in %s\n", c.dir.path, c.rig.dir.path);
    rig_release(&c.rig, keep);
    disk_close(&c.disk);
    if (!keep)
        tmpdir_remove(&c.dir);
    return fine;
}
