/* A worker that has lost its lease: whatever it says then is refused.  The scripts are those of the build that is looked at. */
#include "tests/chaos/mutants/directed.h"

#include "shared/cleanup.h"
#include "shared/queue.h"
#include "tests/support/wait_until.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCRIPT_MAX = 128 << 10, SHORT_LEASE_MS = 50, LONG_LEASE_MS = 60000 };

struct late {
    struct directed *d;
    char text[SCRIPT_MAX];
    char sha1[64];
    uint64_t turn; /* of the latest claim or finish: none is a repetition */
    struct redis_script script; /* of the latest call */
};

static void must(enum err_code code, const struct err *e)
{
    if (code == ERR_OK)
        return;
    fprintf(stderr, "directed: %s\n", e->text);
    abort();
}

/* generated/queue/NAME.lua, or NAME.6.lua for a server before 7. */
static void read_script(struct late *l, const char *name, const char *suffix)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/generated/queue/%s%s", l->d->build, name,
                   suffix);
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, l->text, sizeof l->text - 1) : -1;
    if (len < 0) {
        perror(path);
        abort();
    }
    l->text[len] = '\0';
}

static bool load_script(struct late *l, const char *name, const char *suffix)
{
    struct redis_value *reply = NULL;
    struct redis_cmd c;
    struct err e = ERR_INIT;

    read_script(l, name, suffix);
    redis_cmd_init(&c);
    redis_cmd_begin(&c, "SCRIPT");
    redis_cmd_add_str(&c, "LOAD");
    redis_cmd_add_str(&c, l->text);
    bool loaded = redis_call(l->d->rig.client, &c, &reply, &e) == ERR_OK;
    (void)snprintf(l->sha1, sizeof l->sha1, "%s", redis_value_str(reply, NULL));
    redis_reply_free(reply);
    redis_cmd_release(&c);
    return loaded;
}

/* The call with the script of the build.  The caller frees the reply. */
static struct redis_value *call(struct late *l, struct redis_cmd *c)
{
    struct redis_value *reply = NULL;
    struct err e = ERR_INIT;
    const char *name = c->script->name;

    if (!load_script(l, name, ".lua") && !load_script(l, name, ".6.lua"))
        abort();
    l->script = (struct redis_script){name, l->text, l->sha1, l->text, l->sha1};
    c->script = &l->script;
    must(redis_call(l->d->rig.client, c, &reply, &e), &e);
    redis_cmd_release(c);
    return reply;
}

static enum queue_answer answer_of(struct redis_value *reply)
{
    enum queue_answer answer;
    struct err e = ERR_INIT;

    must(queue_parse_answer(reply, &answer, NULL, &e), &e);
    redis_reply_free(reply);
    return answer;
}

static struct queue_lease claim(struct late *l, const struct queue_worker *w)
{
    struct queue_claimed claimed;
    struct redis_cmd c;
    struct err e = ERR_INIT;

    redis_cmd_init(&c);
    queue_claim_cmd(&c, "default", w, ++l->turn, 1);
    struct redis_value *reply = call(l, &c);
    must(queue_parse_claimed(reply, "default", &claimed, &e), &e);
    redis_reply_free(reply);
    if (claimed.count != 1) {
        fprintf(stderr, "directed: nothing to claim\n");
        abort();
    }
    return claimed.leases[0];
}

static bool reap(struct late *l, const struct job_id *id)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_reap_cmd(&c, id, 10);
    return answer_of(call(l, &c)) == QUEUE_OK;
}

/* Each thing that a worker may say of a job it has: with a token that is not the latest it is LOST. */
static enum queue_answer say(struct late *l, int what, const struct queue_lease *lease,
                             const struct queue_worker *w)
{
    struct queue_beat beat = {.lease = *lease};
    struct queue_end end = {.lease = *lease, .state = JOB_DONE, .attempts = 1};
    struct queue_claimed claimed;
    enum queue_answer answer = QUEUE_OK;
    struct redis_value *reply;
    struct redis_cmd c;
    struct err e = ERR_INIT;

    redis_cmd_init(&c);
    switch (what) {
    case 0:
        queue_beat_cmd(&c, "default", w, &beat, 1);
        reply = call(l, &c);
        must(queue_parse_beat(reply, 1, &answer, &e), &e);
        redis_reply_free(reply);
        return answer;
    case 1:
        queue_release_cmd(&c, lease, w, 0);
        return answer_of(call(l, &c));
    case 2:
        queue_fail_cmd(&c,
                       &(struct queue_fail){.lease = *lease,
                                            .error = "late",
                                            .error_class = "late",
                                            .retry_ms = -1},
                       w);
        return answer_of(call(l, &c));
    default:
        queue_finish_cmd(&c,
                         &(struct queue_finish){.ends = &end,
                                                .count = 1,
                                                .keep_ms = LONG_LEASE_MS,
                                                .keep_count = 100,
                                                .turn = ++l->turn},
                         w);
        reply = call(l, &c);
        must(queue_parse_claimed(reply, "default", &claimed, &e), &e);
        redis_reply_free(reply);
        return claimed.answers[0];
    }
}

void scenario_stale_token(struct directed *d)
{
    static const char *const words[] = {"beat", "release", "fail", "finish"};
    const struct queue_worker first = {.id = "first", .lease_ms = SHORT_LEASE_MS},
                              again = {.id = "first", .lease_ms = LONG_LEASE_MS};
    char id[ID_JOB_MAX + 1];
    struct late *l = calloc(1, sizeof *l);

    if (!l)
        abort();
    l->d = d;
    directed_up(d, false);
    for (int what = 0; what < 4; what++) {
        directed_accept(d, what, id);
        if (!WAIT_UNTIL(rig_unknown_to_redis(&d->rig) == 0, DIRECTED_MS))
            abort();
        struct queue_lease old = claim(l, &first);
        if (!WAIT_UNTIL(reap(l, &old.id), DIRECTED_MS))
            abort();
        /* The same worker has it again, under another token: its name alone proves nothing. */
        (void)claim(l, &again);
        if (say(l, what, &old, &first) != QUEUE_LOST)
            directed_violated(d, "I8", "a %s under a token that was lost was taken",
                              words[what]);
    }
    free(l);
}
