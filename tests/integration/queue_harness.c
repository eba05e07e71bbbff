#include "tests/integration/queue_harness.h"

#include "shared/clock.h"
#include "tests/integration/queue_look.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct harness h;
static char answered_state[QUEUE_STATE_SIZE];

static const char guard[] =
    "local real, declared = redis, {}\n"
    "for i = 1, #KEYS do declared[KEYS[i]] = true end\n"
    "local function check(name, key)\n"
    "  if name ~= 'TIME' and not declared[key] then\n"
    "    error('undeclared key ' .. tostring(key) .. ' in ' .. name)\n"
    "  end\n"
    "end\n"
    "local redis = setmetatable({\n"
    "  call = function(name, ...)\n"
    "    check(name, (...))\n"
    "    local ms = name == 'TIME' and real.call('GET', 'test:now')\n"
    "    if ms then return {math.floor(ms / 1000), ms % 1000 * 1000} end\n"
    "    return real.call(name, ...)\n"
    "  end,\n"
    "  pcall = function(name, ...) check(name, (...)) return real.pcall(name, ...) "
    "end,\n"
    "}, {__index = real})\n";

/* --- The server --- */

void harness_up_with(const char *const *redis_args)
{
    struct err e = ERR_INIT;
    struct redis_options o = {.connect_timeout_ms = 5000, .timeout_ms = 5000};

    redis_fixture_start_with(&h.server, redis_args);
    cr_assert(redis_target_parse(h.server.url, &o.target, &e) == ERR_OK, "%s", e.text);
    cr_assert(redis_open(&o, &h.redis, &e) == ERR_OK, "%s", e.text);
    redis_target_release(&o.target);
    h.worker = (struct queue_worker){.id = "w1", .lease_ms = 60000};
    char *info = redis_fixture_ask(&h.server, "INFO", "server", NULL);
    h.flagless = strstr(info, "redis_version:6.") != NULL;
    free(info);
}

void harness_up(void)
{
    harness_up_with(NULL);
}

void harness_down(void)
{
    redis_close(h.redis);
    h.redis = NULL;
    for (size_t i = 0; i < h.script_count; i++)
        free(h.scripts[i].body);
    h.script_count = 0;
    redis_fixture_stop(&h.server);
}

/* --- Scripts under guard --- */

static const struct redis_script *guarded(const struct redis_script *plain)
{
    for (size_t i = 0; i < h.script_count; i++)
        if (h.scripts[i].plain == plain)
            return &h.scripts[i].checked;
    cr_assert(h.script_count < HARNESS_SCRIPTS_MAX);
    struct harness_script *s = &h.scripts[h.script_count++];
    const char *text = h.flagless ? plain->body : plain->body_7;
    const char *rest =
        strchr(text, '\n') + 1; /* after the line of flags, or of replicate_commands */
    cr_assert(asprintf(&s->body, "%.*s%s%s", (int)(rest - text), text, guard, rest) >
              0);
    char *sha1 = redis_fixture_ask(&h.server, "SCRIPT", "LOAD", s->body, NULL);
    cr_assert(strlen(sha1) == 40, "%s: %s", plain->name, sha1);
    memcpy(s->sha1, sha1, sizeof s->sha1);
    free(sha1);
    s->plain = plain;
    s->checked = (struct redis_script){plain->name, s->body, s->sha1, s->body, s->sha1};
    return &s->checked;
}

void harness_guard(struct redis_cmd *c)
{
    if (c->script)
        c->script = guarded(c->script);
}

enum err_code try_run(struct redis_cmd *c, struct redis_value **ret)
{
    struct err e = ERR_INIT;

    harness_guard(c);
    enum err_code rc = redis_call(h.redis, c, ret, &e);
    if (rc != ERR_OK && rc != ERR_RETRY)
        fprintf(stderr, "%s\n", e.text);
    return rc;
}

struct redis_value *run(struct redis_cmd *c)
{
    struct redis_value *v = NULL;

    cr_assert(try_run(c, &v) == ERR_OK, "%s failed",
              c->script ? c->script->name : "call");
    redis_cmd_release(c);
    return v;
}

static struct redis_cmd command(void)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    return c;
}

enum queue_answer run_answer(struct redis_cmd *c)
{
    enum queue_answer answer;
    struct err e = ERR_INIT;
    struct redis_value *v = run(c);

    cr_assert(queue_parse_answer(v, &answer, answered_state, &e) == ERR_OK, "%s",
              e.text);
    redis_reply_free(v);
    return answer;
}

struct queue_claimed run_claimed(struct redis_cmd *c)
{
    struct queue_claimed claimed;
    struct err e = ERR_INIT;
    struct redis_value *v = run(c);

    cr_assert(queue_parse_claimed(v, "q", &claimed, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(v);
    return claimed;
}

const char *last_state(void)
{
    return answered_state;
}

/* --- Operations --- */

struct job new_job(int64_t priority, int64_t due)
{
    struct job j = JOB_INIT;

    memcpy(j.id.queue, "q", 2);
    j.id.uuid = id_new();
    j.created = clock_wall_ms();
    j.priority = priority;
    j.due = due;
    j.max_attempts = 3;
    j.size = 1000;
    j.source = strdup("spool");
    j.sha256 =
        strdup("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    j.name = strdup("photo.jpg");
    j.to = strdup("default");
    j.key = strdup("photo.jpg");
    return j;
}

enum queue_answer enqueue(const struct job *j)
{
    struct redis_cmd c = command();

    struct queue_entry entry;
    queue_entry_init(&entry, j);
    queue_enqueue_cmd(&c, &entry, 1);
    queue_entry_release(&entry);
    struct redis_value *v = run(&c);
    enum queue_answer answer;
    struct err e = ERR_INIT;
    cr_assert(queue_parse_answer(redis_value_at(v, 0), &answer, answered_state, &e) ==
                  ERR_OK,
              "%s", e.text);
    redis_reply_free(v);
    return answer;
}

struct job_id add(int64_t priority, int64_t due)
{
    struct job j = new_job(priority, due);
    struct job_id id = j.id;

    cr_assert(enqueue(&j) == QUEUE_OK);
    job_release(&j);
    return id;
}

struct queue_claimed claim(size_t want)
{
    struct redis_cmd c = command();

    queue_claim_cmd(&c, "q", &h.worker, ++h.turn, want);
    return run_claimed(&c);
}

struct queue_lease claim_one(void)
{
    struct queue_claimed claimed = claim(1);

    cr_assert(claimed.count == 1, "nothing to claim");
    return claimed.leases[0];
}

enum queue_answer start_record(const struct queue_lease *l, struct job *ret_job,
                               struct err *why)
{
    struct redis_cmd cmds[2] = {command(), command()};
    struct err e = ERR_INIT;
    enum queue_answer mark, answer;

    queue_start_cmds(cmds, l, 1, &h.worker);
    struct redis_value *v = run(&cmds[0]), *record = NULL;
    cr_assert(queue_parse_marks(v, 1, &mark, &e) == ERR_OK, "%s", e.text);
    (void)try_run(&cmds[1], &record); /* a wrong type is an error */
    redis_cmd_release(&cmds[1]);
    cr_assert(queue_parse_start(mark, record, l, &answer, ret_job, why, &e) == ERR_OK,
              "%s", e.text);
    redis_reply_free(v);
    redis_reply_free(record);
    return answer;
}

enum queue_answer start(const struct queue_lease *l)
{
    struct job j = JOB_INIT;
    struct err why = ERR_INIT;
    enum queue_answer answer = start_record(l, &j, &why);

    job_release(&j);
    return answer;
}

struct queue_lease claim_and_start(void)
{
    struct queue_lease l = claim_one();

    cr_assert(start(&l) == QUEUE_OK);
    return l;
}

enum queue_answer beat(const struct queue_lease *l, int64_t sent)
{
    struct redis_cmd c = command();
    struct queue_beat b = {.lease = *l, .sent = sent};
    enum queue_answer answer;
    struct err e = ERR_INIT;

    queue_beat_cmd(&c, "q", &h.worker, &b, 1);
    struct redis_value *v = run(&c);
    cr_assert(queue_parse_beat(v, 1, &answer, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(v);
    return answer;
}

struct queue_claimed finish_as(const struct queue_end *end,
                               const struct queue_finish *rest)
{
    struct redis_cmd c = command();
    struct queue_finish f = *rest;

    f.ends = end;
    f.count = 1;
    f.turn = ++h.turn;
    queue_finish_cmd(&c, &f, &h.worker);
    return run_claimed(&c);
}

/* What its worker knows from start: the attempts before, and this one. */
static int64_t attempts_with_this(const struct queue_lease *l)
{
    char *before =
        redis_fixture_ask(&h.server, "HGET", key_of(&l->id).text, "attempts", NULL);
    int64_t n = strtoll(before, NULL, 10) + 1;

    free(before);
    return n;
}

struct queue_claimed finish(const struct queue_lease *l, enum job_state state,
                            size_t want)
{
    return finish_as(
        &(struct queue_end){.lease = *l,
                            .state = state,
                            .url = state == JOB_DONE ? "file:///o/x" : NULL,
                            .etag = state == JOB_DONE ? "\"abc\"" : NULL,
                            .sent = 1000,
                            .size = 1000,
                            .attempts = attempts_with_this(l),
                            .had_error = true},
        &(struct queue_finish){.keep_ms = 3600000, .keep_count = 1000, .want = want});
}

struct queue_claimed finish_keep(const struct queue_lease *l, int64_t keep_ms,
                                 int64_t keep_count)
{
    return finish_as(
        &(struct queue_end){
            .lease = *l, .state = JOB_DONE, .sent = 1000, .size = 1000, .attempts = 1},
        &(struct queue_finish){.keep_ms = keep_ms, .keep_count = keep_count});
}

enum queue_answer fail(const struct queue_lease *l, int64_t retry_ms)
{
    struct redis_cmd c = command();

    queue_fail_cmd(&c,
                   &(struct queue_fail){.lease = *l,
                                        .error = "the store said 503",
                                        .error_class = "store",
                                        .retry_ms = retry_ms,
                                        .sent = 10},
                   &h.worker);
    return run_answer(&c);
}

enum queue_answer release(const struct queue_lease *l)
{
    struct redis_cmd c = command();

    queue_release_cmd(&c, l, &h.worker, 0);
    return run_answer(&c);
}

enum queue_answer promote(const struct job_id *id)
{
    struct redis_cmd c = command();

    queue_promote_cmd(&c, id);
    return run_answer(&c);
}

enum queue_answer reap(const struct job_id *id)
{
    struct redis_cmd c = command();

    queue_reap_cmd(&c, id, 3);
    return run_answer(&c);
}

enum queue_answer cancel(const struct job_id *id)
{
    struct redis_cmd c = command();

    queue_cancel_cmd(&c, id, 3600000);
    return run_answer(&c);
}

enum queue_answer retry(const struct job_id *id)
{
    struct redis_cmd c = command();

    queue_retry_cmd(&c, id);
    return run_answer(&c);
}

struct queue_status status(void)
{
    struct redis_cmd c = command();
    struct queue_status s;
    struct err e = ERR_INIT;

    queue_status_cmd(&c, "q");
    struct redis_value *v = run(&c);
    cr_assert(queue_parse_status(v, &s, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(v);
    return s;
}
