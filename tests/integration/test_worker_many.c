/* Several destinations, a POST, a program: hoist-worker as it ships delivers to them and tells Redis. */
#include "tests/integration/worker_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/http_sink.h"
#include "tests/support/wait_until.h"

static struct worker_rig rig;
static struct http_sink *sink;

static void up(void)
{
    char settings[1024];

    sink = http_sink_start();
    (void)snprintf(settings, sizeof settings,
                   "[destination put]\nurl = %s/in\nbearer_token = hush-token\n"
                   "hmac_secret = hush-secret\n"
                   "[destination hook]\nurl = %s/hook\nmethod = POST\n"
                   "[destination task]\nurl = command:task\n[command task]\n"
                   "run = sh -c 'cat > /dev/null; echo task://$HOIST_JOB_ID'\n"
                   "[converter gz]\nrun = gzip -c\n",
                   http_sink_url(sink), http_sink_url(sink));
    rig_up(&rig, settings);
}

static void down(void)
{
    http_sink_stop(sink);
    rig_down(&rig);
}

TestSuite(worker_many, .init = up, .fini = down, .timeout = 120);

static bool is_text(struct job_id *id, const char *field, const char *want)
{
    return strcmp(rig_field(&rig, id, field), want) == 0;
}

Test(worker_many, only_where_it_has_not_arrived_it_is_sent_again)
{
    char want[256];

    for (int i = 0; i < 2; i++)
        http_sink_push(sink, (struct http_reply){.status = 503});
    struct job_id id =
        rig_put(&rig, &(struct rig_job){.data = "hello", .to = "default,put"});
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "done", 20000));
    cr_expect(rig_object_is(&rig, &id, "hello"));
    cr_expect(eq(sz, http_sink_count(sink), 3));
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 3));
    (void)snprintf(want, sizeof want, "file://%s/%s", rig.objects.path, id.uuid.text);
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "arrived.default"), want));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "url"), want));
    (void)snprintf(want, sizeof want, "%s/in/%s", http_sink_url(sink), id.uuid.text);
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "arrived.put"), want));
    cr_expect(rig_wait_unspooled(&rig, &id, 10000));
    cr_expect(eq(int, rig_log_count(w, "hush"), 0), "no secret in the log");
}

/* The destination that refuses it for good holds up none: the job is dead when nothing else is left. */
Test(worker_many, a_dead_one_has_arrived_elsewhere_and_a_retry_goes_where_it_has_not)
{
    struct redis_cmd c;
    struct redis_value *v = NULL;
    struct err e = ERR_INIT;

    http_sink_push(sink, (struct http_reply){.status = 422});
    struct job_id id =
        rig_put(&rig, &(struct rig_job){.data = "hello", .to = "hook,default"});
    (void)rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "dead", 20000));
    cr_expect(is_text(&id, "error", "hook: POST: status 422"));
    cr_expect(is_text(&id, "error_class", "never"));
    cr_expect(rig_object_is(&rig, &id, "hello"));
    cr_expect(ne(int, rig_field(&rig, &id, "arrived.default")[0], 0));
    cr_expect(rig_in_spool(&rig, &id), "its bytes are kept");

    redis_cmd_init(&c);
    queue_retry_cmd(&c, &id);
    cr_assert(redis_call(rig.client, &c, &v, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(v);
    redis_cmd_release(&c);
    cr_assert(rig_wait_state(&rig, &id, "done", 20000));
    cr_expect(eq(sz, http_sink_count(sink), 2));
}

Test(worker_many, a_program_says_where_it_has_put_it)
{
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "hello", .to = "task"});
    char want[128];

    (void)rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "done", 20000));
    (void)snprintf(want, sizeof want, "task://default.%s", id.uuid.text);
    cr_expect(is_text(&id, "url", want), "%s", rig_field(&rig, &id, "url"));
    cr_expect(rig_wait_unspooled(&rig, &id, 10000));
}

Test(worker_many, what_converters_made_goes_to_all_of_them_and_is_signed)
{
    struct http_sink_request r;
    char text[256];

    struct job_id id = rig_put(
        &rig,
        &(struct rig_job){.data = "hello", .to = "put,default,task", .convert = "gz"});
    (void)rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "done", 20000));
    cr_assert(http_sink_request(sink, 0, &r));
    cr_expect(r.is_whole && r.len > 10 && memcmp(r.body, "\x1f\x8b", 2) == 0);
    cr_expect(http_sink_header(&r, "hoist-signature", text, sizeof text));
    cr_expect(eq(i64, rig_number(&rig, &id, "out_bytes"), (int64_t)r.len));
    cr_expect(ne(int, rig_field(&rig, &id, "arrived.task")[0], 0));
}

/* Its bytes have gone, and nobody can tell whether it has arrived. */
Test(worker_many, a_job_without_bytes_is_dead_where_nobody_can_look)
{
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "hello", .to = "hook"});
    char path[512];

    (void)snprintf(path, sizeof path, "%s/jobs/default.%s.data", rig.spool_dir.path,
                   id.uuid.text);
    cr_assert(eq(int, remove(path), 0));
    (void)rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "dead", 20000));
    cr_expect(strstr(rig_field(&rig, &id, "error"), "cannot be told") != NULL, "%s",
              rig_field(&rig, &id, "error"));
    cr_expect(eq(sz, http_sink_count(sink), 0));
}

/* A beat tells where it has arrived while the others are under way: who takes it over goes on from there. */
Test(worker_many, a_worker_that_dies_leaves_what_has_arrived)
{
    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_HELD});
    struct job_id id =
        rig_put(&rig, &(struct rig_job){.data = "hello", .to = "hook,task"});
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(rig_field(&rig, &id, "arrived.task")[0] != '\0', 20000));
    spawn_kill(w);
    char first[512];
    (void)snprintf(first, sizeof first, "%s", rig_field(&rig, &id, "arrived.task"));
    (void)rig_start(&rig, "b");
    cr_assert(rig_wait_state(&rig, &id, "done", 20000));
    cr_expect(is_text(&id, "arrived.task", first));
    cr_expect(eq(sz, http_sink_count(sink), 2));
}
