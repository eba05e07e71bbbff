#include "tests/chaos/points.h"

#include "shared/cleanup.h"
#include "tests/chaos/disk.h"
#include "tests/chaos/rig.h"
#include "tests/chaos/trace.h"
#include "tests/support/fcgi_client.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum {
    POINTS_MAX = 500,
    ANSWERED_POINTS = 3, /* threads do not always take the same turns */
    RUN_MS = 20000,
    SETTLE_MS = 10000,
    FILES = 2,
    REQUEST_MAX = 256 << 10,
    UPLOAD_MAX = 16000 /* the socket takes a request at once: nobody reads it yet */
};

#define BOUNDARY "----a-boundary-of-points"

struct points {
    const struct points_options *o;
    struct tmpdir dir;
    struct tmpdir_file mount, spool, gathered, ledger_path;
    struct rig rig;
    struct disk disk;
    struct ledger *ledger;
    struct body_plan plan;
    int64_t next;                 /* upload number */
    int64_t cuts, promised, kept; /* kept: jobs that were there after their cut */
};

static void must(enum err_code code, const struct err *e)
{
    if (code == ERR_OK)
        return;
    fprintf(stderr, "points: %s\n", e->text);
    abort();
}

/* --- The request --- */

struct request {
    char *body; /* owned */
    size_t len;
    int64_t first; /* number of its first upload */
    size_t files;
    char uri[64];
};

static void add_text(struct request *r, const char *text)
{
    size_t len = strlen(text);

    memcpy(r->body + r->len, text, len);
    r->len += len;
}

static void add_file(struct points *p, struct request *r, int64_t n)
{
    struct body b = body_of(&p->plan, n);

    body_fill(&b, 0, r->body + r->len, (size_t)b.size);
    r->len += (size_t)b.size;
}

static void add_part(struct points *p, struct request *r, int64_t n)
{
    char head[256];

    (void)snprintf(head, sizeof head,
                   "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"f\"; "
                   "filename=\"chaos-%lld.bin\"\r\n\r\n",
                   (long long)n);
    add_text(r, head);
    add_file(p, r, n);
    add_text(r, "\r\n");
}

static struct request make_request(struct points *p, bool form)
{
    struct request r = {.first = p->next, .files = form ? FILES : 1};

    r.body = malloc(REQUEST_MAX);
    if (!r.body)
        abort();
    (void)snprintf(r.uri, sizeof r.uri, form ? "/v1/uploads" : "/v1/uploads/%lld.bin",
                   (long long)p->next);
    for (size_t i = 0; i < r.files; i++, p->next++) {
        if (form)
            add_part(p, &r, p->next);
        else
            add_file(p, &r, p->next);
    }
    if (form)
        add_text(&r, "--" BOUNDARY "--\r\n");
    return r;
}

/* --- The ledger --- */

static void note_tries(struct points *p, const struct request *r)
{
    struct ledger_line lines[FILES];
    struct err e = ERR_INIT;

    for (size_t i = 0; i < r->files; i++) {
        struct body b = body_of(&p->plan, r->first + (int64_t)i);
        lines[i] = (struct ledger_line){.kind = LEDGER_TRY, .n = b.n, .size = b.size};
        must(body_sha256(&b, lines[i].sha256, &e), &e);
    }
    must(ledger_write(p->ledger, lines, r->files, &e), &e);
}

/* The which-th "id":"..." of an answer; "" when there is none. */
static void find_id(const char *body, size_t which, char ret[static ID_JOB_MAX + 1])
{
    static const char key[] = "\"id\":\"";

    ret[0] = '\0';
    for (size_t i = 0; body && i <= which; i++) {
        body = strstr(body, key);
        body = body ? body + sizeof key - 1 : NULL;
    }
    if (body)
        (void)snprintf(ret, ID_JOB_MAX + 1, "%.*s", (int)strcspn(body, "\""), body);
}

static void note_ends(struct points *p, const struct request *r,
                      const struct fcgi_response *answer)
{
    struct ledger_line lines[FILES];
    struct err e = ERR_INIT;

    for (size_t i = 0; i < r->files; i++) {
        struct ledger_line l = {.kind = LEDGER_UNK, .n = r->first + (int64_t)i};
        if (answer->status) {
            l.kind = LEDGER_GOT;
            l.status = answer->status;
            find_id(answer->body, i, l.id);
        }
        lines[i] = l;
    }
    must(ledger_write(p->ledger, lines, r->files, &e), &e);
}

/* --- One point --- */

static bool has_answered(void *ctx)
{
    const struct fcgi_client *c = ctx;
    char some[4096];
    ssize_t n = recv(c->fd, some, sizeof some, MSG_PEEK | MSG_DONTWAIT);
    size_t at = 0;

    /* Records: version, type, id, length, padding, reserved (FastCGI 3.3). */
    while (n > 0 && at + 8 <= (size_t)n) {
        const unsigned char *head = (const unsigned char *)some + at;
        if (head[1] == FCGI_END)
            return true;
        at += 8U + (size_t)(head[4] << 8 | head[5]) + head[6];
    }
    return n == 0;
}

static void copy_file(const char *from, const char *to)
{
    struct stat st;
    CLEANUP(fd_close) int in = open(from, O_RDONLY | O_CLOEXEC);

    if (in < 0)
        return; /* the verdict will miss it */
    CLEANUP(fd_close)
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0 || fstat(in, &st) < 0 ||
        sendfile(out, in, NULL, (size_t)st.st_size) != st.st_size)
        abort();
}

static void gather_one(struct points *p, const char *name, int len, const char *suffix)
{
    char from[512], to[512];

    (void)snprintf(from, sizeof from, "%s/jobs/%.*s%s", p->spool.path, len, name,
                   suffix);
    (void)snprintf(to, sizeof to, "%s/jobs/%.*s%s", p->gathered.path, len, name,
                   suffix);
    copy_file(from, to);
}

/* What stands in jobs/ with a manifest goes into the spool that a worker will get. */
static int64_t gather(struct points *p)
{
    char path[512];
    struct dirent *entry;
    int64_t found = 0;

    (void)snprintf(path, sizeof path, "%s/jobs", p->spool.path);
    DIR *jobs = opendir(path);
    while (jobs && (entry = readdir(jobs))) {
        const char *dot = strrchr(entry->d_name, '.');
        int len = dot ? (int)(dot - entry->d_name) : 0;
        if (dot && strcmp(dot, ".job") == 0) {
            gather_one(p, entry->d_name, len, ".job");
            found++;
        } else if (dot && strcmp(dot, ".json") == 0) {
            gather_one(p, entry->d_name, len, ".json");
            gather_one(p, entry->d_name, len, ".data");
            found++;
        }
    }
    if (jobs)
        (void)closedir(jobs);
    return found;
}

/* Threads of the responder that have no part in an upload before its answer. */
static const char *const others[] = {"hoist-fcgi", "gate",   "publisher",
                                     "marks",      "events", NULL};

/* False: the answer had been read before the nth call; it was cut there. */
static bool cut_at(struct points *p, bool form, int64_t n)
{
    struct request r = make_request(p, form);
    struct fcgi_client client;
    struct trace trace;
    struct err e = ERR_INIT;

    must(disk_open(&p->disk, p->mount.path, DISK_BYTES_MIN, &e), &e);
    rig_start_fcgi(&p->rig, p->o->preload);
    fcgi_client_open(&client, p->rig.fcgi_socket.path);
    must(trace_attach(&trace, p->rig.fcgi.pid, others, &e), &e);
    note_tries(p, &r);
    fcgi_client_request(
        &client, &(struct fcgi_request){
                     .method = form ? "POST" : "PUT",
                     .uri = r.uri,
                     .type = form ? "multipart/form-data; boundary=" BOUNDARY : NULL,
                     .body = r.body,
                     .body_len = r.len});
    if (client.send_failed)
        abort();
    enum trace_end end = trace_run(&trace, n, has_answered, &client, RUN_MS);
    must(disk_cut(&p->disk, &e), &e);
    if (end == TRACE_LATE || end == TRACE_DIED) {
        fprintf(stderr, "points: the responder %s behind call %lld, %s\n",
                end == TRACE_LATE ? "stands still" : "died", (long long)trace.calls,
                trace.last);
        abort();
    }
    trace_kill(&trace);
    spawn_kill(&p->rig.fcgi);
    struct fcgi_response answer = fcgi_client_response(&client, RUN_MS);
    note_ends(p, &r, &answer);
    must(disk_revive(&p->disk, &e), &e);
    int64_t found = gather(p);
    p->cuts++;
    p->promised += answer.status == 202 ? (int64_t)r.files : 0;
    p->kept += found;
    if (p->o->verbose || (answer.status == 202 && found < (int64_t)r.files))
        printf("  %s, behind call %lld (%s): answer %d, %lld of %zu jobs on the disk\n",
               form ? "form" : "raw", (long long)trace.calls, trace.last, answer.status,
               (long long)found, r.files);
    fcgi_response_release(&answer);
    fcgi_client_close(&client);
    disk_close(&p->disk);
    free(r.body);
    return end == TRACE_REACHED;
}

static void cut_all(struct points *p, bool form)
{
    int64_t first_cut = p->cuts;
    int answered = 0;

    for (int64_t n = 1; n < POINTS_MAX && answered < ANSWERED_POINTS; n++)
        answered += !cut_at(p, form, p->o->answered_only ? POINTS_MAX : n);
    if (answered == 0) {
        fprintf(stderr, "points: more calls than there may be\n");
        abort();
    }
    printf("points: %s: %lld cuts\n", form ? "a form with two files" : "a raw upload",
           (long long)(p->cuts - first_cut));
}

/* --- All of them --- */

static void open_all(struct points *p)
{
    struct err e = ERR_INIT;

    tmpdir_make(&p->dir);
    p->mount = tmpdir_file(&p->dir, "disk");
    p->spool = tmpdir_file(&p->dir, "disk/spool");
    p->gathered = tmpdir_file(&p->dir, "gathered");
    p->ledger_path = tmpdir_file(&p->dir, "ledger");
    struct tmpdir_file jobs = tmpdir_file(&p->dir, "gathered/jobs");
    if (mkdir(p->mount.path, 0700) < 0 || mkdir(p->gathered.path, 0700) < 0 ||
        mkdir(jobs.path, 0700) < 0)
        abort();
    must(ledger_open(p->ledger_path.path, &p->ledger, &e), &e);
    rig_init(&p->rig,
             &(struct rig_options){.build = p->o->build, .spool = p->spool.path});
    rig_start_redis(&p->rig);
}

/* A worker, an empty Redis, and what the disks held. */
static bool deliver(struct points *p)
{
    char left[256] = "";
    struct rig rig;

    rig_init(&rig,
             &(struct rig_options){.build = p->o->build, .spool = p->gathered.path});
    rig_start_redis(&rig);
    rig_start_worker(&rig, 0);
    bool settled = rig_settle(&rig, SETTLE_MS, left, sizeof left);
    if (!settled)
        printf("points: not all has ended: %s\n", left);
    struct check_result result = rig_judge(&rig, p->ledger_path.path, p->cuts);
    check_print(stdout, &result);
    bool passed = settled && check_passed(&result);
    rig_release(&rig, false);
    return passed;
}

bool points_run(const struct points_options *o)
{
    struct points p = {
        .o = o, .disk = DISK_INIT, .plan = {.seed = o->seed, .max_bytes = UPLOAD_MAX}};

    open_all(&p);
    cut_all(&p, false);
    cut_all(&p, true);
    rig_release(&p.rig, false);
    ledger_close(p.ledger);
    printf("points: %lld cuts, %lld uploads promised, %lld jobs on the disks after "
           "their cut\n",
           (long long)p.cuts, (long long)p.promised, (long long)p.kept);
    bool passed = deliver(&p);
    tmpdir_remove(&p.dir);
    return passed;
}
