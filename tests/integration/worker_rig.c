#include "tests/integration/worker_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "shared/clock.h"
#include "tests/support/wait_until.h"

enum { LOG_SIZE = 1 << 20, CHUNK = 64 * 1024 };

static void write_config(struct worker_rig *rig, const char *settings)
{
    char text[4096], s3[512] = "";

    if (rig->s3)
        (void)snprintf(s3, sizeof s3,
                       "[destination s3]\nurl = s3://bucket/pre\nendpoint = %s\n"
                       "access_key = AKIDEXAMPLE\nsecret_key = secret\n"
                       "connect_timeout_seconds = 2\nstall_timeout_seconds = 2\n"
                       "answer_timeout_seconds = 30\n%s",
                       s3_faulty_url(rig->s3),
                       strstr(settings, "conditional") ? "" : "conditional = yes\n");
    (void)snprintf(text, sizeof text,
                   "[redis]\nurl = %s\n[spool]\ndir = %s\n"
                   "[destination default]\nurl = file://%s\n%s"
                   "[queue default]\nmax_attempts = 3\nretry_base = 20ms\n"
                   "retry_cap = 50ms\n[worker]\nlog_level = debug\n%s%s",
                   rig->redis.url, rig->spool_dir.path, rig->objects.path, s3,
                   strstr(settings, "lease_ms") ? "" : "lease_ms = 1000\n", settings);
    rig->config = tmpdir_write(&rig->dir, "hoist.ini", text, strlen(text));
}

static void up(struct worker_rig *rig, const char *settings, bool s3)
{
    struct err e = ERR_INIT;

    *rig = (struct worker_rig){0};
    redis_fixture_start(&rig->redis);
    tmpdir_make(&rig->dir);
    rig->objects = tmpdir_file(&rig->dir, "objects");
    rig->spool_dir = tmpdir_file(&rig->dir, "spool");
    if (s3)
        rig->s3 = s3_faulty_start();
    write_config(rig, settings ? settings : "");
    struct spool_options options = {.dir = rig->spool_dir.path, .durable = false};
    cr_assert(spool_open(&options, &rig->spool, &e) == ERR_OK, "%s", e.text);
    struct redis_options r = {.connect_timeout_ms = 2000, .timeout_ms = 2000};
    cr_assert(redis_target_parse(rig->redis.url, &r.target, &e) == ERR_OK, "%s",
              e.text);
    cr_assert(redis_open(&r, &rig->client, &e) == ERR_OK, "%s", e.text);
    redis_target_release(&r.target);
}

void rig_up(struct worker_rig *rig, const char *settings)
{
    up(rig, settings, false);
}

void rig_up_s3(struct worker_rig *rig, const char *settings)
{
    up(rig, settings, true);
}

void rig_down(struct worker_rig *rig)
{
    for (size_t i = 0; i < rig->worker_count; i++)
        spawn_kill(&rig->workers[i]);
    redis_close(rig->client);
    spool_close(rig->spool);
    s3_faulty_stop(rig->s3);
    tmpdir_remove(&rig->dir);
    redis_fixture_stop(&rig->redis);
}

static bool is_registered(struct worker_rig *rig, const char *name)
{
    char *score = redis_fixture_ask(&rig->redis, "ZSCORE", "hoist:workers", name, NULL);
    bool there = score[0] != '\0';

    free(score);
    return there;
}

struct spawn *rig_start(struct worker_rig *rig, const char *name)
{
    char id[64], log_name[64];

    cr_assert(rig->worker_count < RIG_WORKERS_MAX);
    struct spawn *w = &rig->workers[rig->worker_count++];
    (void)snprintf(id, sizeof id, "HOIST_WORKER_ID=%s", name);
    (void)snprintf(log_name, sizeof log_name, "worker-%s.log", name);
    struct tmpdir_file log = tmpdir_file(&rig->dir, log_name);
    const char *argv[] = {HOIST_WORKER_BIN, "--config", rig->config.path, NULL};
    const char *env[] = {id, NULL};
    spawn_start(
        w, &(struct spawn_options){.argv = argv, .env = env, .log_path = log.path});
    if (!WAIT_UNTIL(is_registered(rig, name), 5000)) {
        spawn_show_log(w);
        cr_assert_fail("worker %s did not register", name);
    }
    return w;
}

static void write_body(struct worker_rig *rig, struct spool_upload *u,
                       const struct rig_job *job)
{
    static char chunk[CHUNK];
    struct err e = ERR_INIT;
    int64_t size = job->size || !job->data ? job->size : (int64_t)strlen(job->data);

    for (int64_t at = 0; at < size;) {
        size_t n = (size_t)(size - at < CHUNK ? size - at : CHUNK);
        const char *from = job->data ? (const char *)job->data + at : chunk;
        if (!job->data)
            memset(chunk, 'a' + (int)(at / CHUNK % 26), n);
        cr_assert(spool_write(rig->spool, u, from, n, &e) == ERR_OK, "%s", e.text);
        at += (int64_t)n;
    }
}

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

struct job_id rig_put(struct worker_rig *rig, const struct rig_job *job)
{
    struct spool_upload u = {.fd = -1};
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    enum queue_answer answer;
    char key[ID_UUID_LEN + 10];

    (void)snprintf(j.id.queue, sizeof j.id.queue, "%s",
                   job->queue ? job->queue : "default");
    cr_assert(spool_begin(rig->spool, &u, &e) == ERR_OK, "%s", e.text);
    write_body(rig, &u, job);
    j.id.uuid = u.uuid;
    j.created = clock_wall_ms();
    j.due = job->delay_ms ? j.created + job->delay_ms : 0;
    j.priority = 5;
    j.max_attempts = job->max_attempts ? job->max_attempts : 3;
    j.source = strdup("spool");
    j.to = strdup(job->to ? job->to : "default");
    j.after = copy(job->after);
    j.unique = copy(job->unique);
    j.unique_until = copy(job->unique_until);
    j.convert = copy(job->convert);
    j.type = copy(job->type);
    j.request_id = copy(job->request_id);
    j.traceparent = copy(job->traceparent);
    j.callback = copy(job->callback);
    j.hooks = copy(job->hooks);
    j.batch = copy(job->batch);
    j.batch_callback = copy(job->batch_callback);
    const char *name = job->name ? job->name : "name.txt";
    cr_assert(job_set_name(&j, name, strlen(name), &e) == ERR_OK, "%s", e.text);
    for (size_t i = 0; i < 4 && job->meta[i]; i += 2)
        cr_assert(job_add_meta(&j, job->meta[i], strlen(job->meta[i]), job->meta[i + 1],
                               strlen(job->meta[i + 1]), &e) == ERR_OK,
                  "%s", e.text);
    job_default_key(&j, key);
    const char *chosen = job->key ? job->key : u.uuid.text;
    cr_assert(job_set_key(&j, chosen, strlen(chosen), &e) == ERR_OK, "%s", e.text);
    cr_assert(spool_commit(rig->spool, &u, &j, 1, &e) == ERR_OK, "%s", e.text);
    if (!job->not_enqueued) {
        cr_assert(queue_enqueue(rig->client, &j, &answer, &e) == ERR_OK, "%s", e.text);
        cr_assert(answer == QUEUE_OK);
    }
    struct job_id id = j.id;
    job_release(&j);
    return id;
}

const char *rig_field(struct worker_rig *rig, const struct job_id *id,
                      const char *field)
{
    static char value[512];
    char key[128];

    (void)snprintf(key, sizeof key, "hoist:{%s}:job:%s", id->queue, id->uuid.text);
    char *reply = redis_fixture_ask(&rig->redis, "HGET", key, field, NULL);
    (void)snprintf(value, sizeof value, "%s", reply);
    free(reply);
    return value;
}

int64_t rig_number(struct worker_rig *rig, const struct job_id *id, const char *field)
{
    return strtoll(rig_field(rig, id, field), NULL, 10);
}

bool rig_is_leased(struct worker_rig *rig, const struct job_id *id)
{
    char key[128];

    (void)snprintf(key, sizeof key, "hoist:{%s}:leased", id->queue);
    char *score = redis_fixture_ask(&rig->redis, "ZSCORE", key, id->uuid.text, NULL);
    bool is = score[0] != '\0';
    free(score);
    return is;
}

bool rig_wait_state(struct worker_rig *rig, const struct job_id *id, const char *state,
                    int64_t deadline_ms)
{
    bool met = WAIT_UNTIL(strcmp(rig_field(rig, id, "state"), state) == 0, deadline_ms);

    if (!met) {
        fprintf(stderr, "state is %s, not '%s'; error: %s\n", "other", state,
                rig_field(rig, id, "error"));
        for (size_t i = 0; i < rig->worker_count; i++)
            spawn_show_log(&rig->workers[i]);
    }
    return met;
}

static bool spool_has(struct worker_rig *rig, const struct job_id *id,
                      const char *suffix)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/jobs/%s.%s%s", rig->spool_dir.path, id->queue,
                   id->uuid.text, suffix);
    return access(path, F_OK) == 0;
}

bool rig_in_spool(struct worker_rig *rig, const struct job_id *id)
{
    return spool_has(rig, id, ".json") && spool_has(rig, id, ".data");
}

bool rig_wait_unspooled(struct worker_rig *rig, const struct job_id *id,
                        int64_t deadline_ms)
{
    return WAIT_UNTIL(!spool_has(rig, id, ".json") && !spool_has(rig, id, ".data"),
                      deadline_ms);
}

bool rig_object_is(struct worker_rig *rig, const struct job_id *id, const char *text)
{
    char path[512], data[4096];

    (void)snprintf(path, sizeof path, "%s/%s", rig->objects.path, id->uuid.text);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof data);
    if (fd >= 0)
        (void)close(fd);
    return n == (ssize_t)strlen(text) && memcmp(data, text, (size_t)n) == 0;
}

int rig_log_count(struct spawn *worker, const char *text)
{
    char *log = calloc(1, LOG_SIZE);
    int count = 0, fd = open(worker->log_path, O_RDONLY | O_CLOEXEC);

    cr_assert(log && fd >= 0);
    for (ssize_t n, at = 0; at < LOG_SIZE - 1; at += n)
        if ((n = read(fd, log + at, (size_t)(LOG_SIZE - 1 - at))) <= 0)
            break;
    for (const char *at = log; (at = strstr(at, text)); at += strlen(text))
        count++;
    (void)close(fd);
    free(log);
    return count;
}
