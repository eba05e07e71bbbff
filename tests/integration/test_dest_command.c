/* The destination command:NAME: real programs that are given a job's bytes. */
#include "worker/dest/dest_command.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <signal.h>

#include "shared/clock.h"
#include "tests/integration/dest_harness.h"
#include "tests/support/tmpdir.h"
#include "tests/support/wait_until.h"

#define BODY "the bytes of the object"

static struct tmpdir dir;
static struct config config;
static struct spool *spool;
static uv_loop_t loop;
static struct worker_env env;
static struct destination *dest;

/* The destination t with this [command t]; $D in run is the test's directory. */
static void open_with(const char *run, const char *more)
{
    struct err e = ERR_INIT;
    char text[2048], line[1024] = "";

    for (const char *s = run; *s; s++) {
        size_t used = strlen(line);
        bool is_dir = s[0] == '$' && s[1] == 'D';
        (void)snprintf(line + used, sizeof line - used, "%.*s", is_dir ? 63 : 1,
                       is_dir ? dir.path : s);
        s += is_dir;
    }
    (void)snprintf(
        text, sizeof text,
        "[destination default]\nurl = command:t\n[command t]\nrun = %s\n%s\n", line,
        more);
    config_init(&config);
    cr_assert(config_parse(&config, "t.ini", text, NULL, &e) == ERR_OK, "%s", e.text);
    env = (struct worker_env){.loop = &loop, .config = &config, .spool = spool};
    cr_assert(dest_command_open(&env, &config.destinations[0], &dest, &e) == ERR_OK);
}

static void up(void)
{
    struct err e = ERR_INIT;

    tmpdir_make(&dir);
    struct tmpdir_file at = tmpdir_file(&dir, "spool");
    cr_assert(spool_open(&(struct spool_options){.dir = at.path}, &spool, &e) == ERR_OK,
              "%s", e.text);
    cr_assert(eq(int, uv_loop_init(&loop), 0));
}

static void down(void)
{
    destination_release(dest);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0), "nothing stays open");
    config_release(&config);
    spool_close(spool);
    tmpdir_remove(&dir);
}

TestSuite(dest_command, .init = up, .fini = down, .timeout = 120);

static struct dest_result deliver_fd(const struct job *j, int fd)
{
    return dest_run(&loop, dest, j, fd);
}

static struct dest_result deliver(void)
{
    struct job j = dest_job("a dir/k", BODY, strlen(BODY));
    struct dest_result r = deliver_fd(&j, dest_data(BODY, strlen(BODY)));

    job_release(&j);
    return r;
}

/* What a file of the test's directory holds; "" when it is not there. */
static const char *text_of(const char *name)
{
    static char text[8192];
    FILE *f = fopen(tmpdir_file(&dir, name).path, "r");
    size_t len = f ? fread(text, 1, sizeof text - 1, f) : 0;

    if (f)
        (void)fclose(f);
    text[len] = '\0';
    return text;
}

static void expect_failure(struct dest_result r, enum retry_class class,
                           const char *text)
{
    cr_assert(not(r.outcome.done));
    cr_assert(not(r.outcome.aborted));
    cr_expect(eq(int, r.outcome.class, class), "%s", r.outcome.error);
    cr_expect(strstr(r.outcome.error, text) != NULL, "%s", r.outcome.error);
    outcome_release(&r.outcome);
}

Test(dest_command, a_program_is_given_the_bytes)
{
    open_with("sh -c \"cat > $D/got\"", "");
    struct dest_result r = deliver();
    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(str, r.outcome.url, "command:t"));
    cr_expect(eq(i64, r.outcome.sent, strlen(BODY)));
    cr_expect(eq(str, (char *)text_of("got"), BODY));
    outcome_release(&r.outcome);
}

/* Others read the same file at the same time, and have read it before. */
Test(dest_command, it_reads_from_the_first_byte_whatever_the_descriptor_has_read)
{
    struct job j = dest_job("k", BODY, strlen(BODY));
    int fd = dest_data(BODY, strlen(BODY)); /* its place is the end */

    open_with("sh -c \"cat > $D/got; echo x >&0\"", "");
    struct dest_result r = deliver_fd(&j, fd);
    cr_expect(eq(str, (char *)text_of("got"), BODY));
    cr_expect(not(r.outcome.done), "it cannot write into the spool");
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_command, it_knows_the_job_and_nothing_else)
{
    struct job j = dest_job("a dir/k", BODY, strlen(BODY));
    struct err e = ERR_INIT;
    char want[256];

    cr_assert(job_set_type(&j, "text/plain", 10, &e) == ERR_OK);
    cr_assert(job_add_meta(&j, "first-name", 10, "Ada", 3, &e) == ERR_OK);
    open_with("sh -c \"env > $D/env\"", "");
    struct dest_result r = deliver_fd(&j, dest_data(BODY, strlen(BODY)));
    cr_assert(r.outcome.done, "%s", r.outcome.error);
    const char *got = text_of("env");
    const char *const lines[] = {"HOIST_KEY=a dir/k\n",
                                 "HOIST_SIZE=23\n",
                                 "HOIST_TYPE=text/plain\n",
                                 "HOIST_NAME=Grüße 1.txt\n",
                                 "HOIST_META_FIRST_NAME=Ada\n",
                                 "HOIST_SCHEDULE=\n",
                                 "HOIST_TICK=20"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_expect(strstr(got, lines[i]) != NULL, "%s in %s", lines[i], got);
    (void)snprintf(want, sizeof want, "HOIST_SHA256=%s\n", j.sha256);
    cr_expect(strstr(got, want) != NULL, "%s", got);
    (void)snprintf(want, sizeof want, "HOIST_JOB_ID=default.%s\n", j.id.uuid.text);
    cr_expect(strstr(got, want) != NULL, "%s", got);
    cr_expect(eq(ptr, strstr(got, "CRITERION"), NULL));
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_command, the_first_line_that_it_writes_is_the_address)
{
    open_with("printf '%s\\r\\nmore' 'https://x/Köln 1'", "");
    struct dest_result r = deliver();
    cr_expect(eq(str, r.outcome.url, "https://x/Köln 1"));
    outcome_release(&r.outcome);
}

Test(dest_command, what_is_no_plain_line_is_no_address)
{
    open_with("printf 'a\\033[31mb\\n'", "");
    struct dest_result r = deliver();
    cr_assert(r.outcome.done);
    cr_expect(eq(str, r.outcome.url, "command:t"));
    outcome_release(&r.outcome);
}

Test(dest_command, the_status_says_whether_to_try_again)
{
    static const struct {
        const char *run;
        enum retry_class class;
        const char *text;
    } rows[] = {
        {"sh -c 'echo no such user >&2; exit 65'", RETRY_NEVER,
         "ended with status 65: no such user"},
        {"sh -c 'exit 75'", RETRY_TRANSIENT, "ended with status 75"},
        {"sh -c 'exit 78'", RETRY_CONFIG, "ended with status 78"},
        {"false", RETRY_TRANSIENT, "ended with status 1"},
        {"sh -c 'kill -9 $$'", RETRY_TRANSIENT, "signal 9"},
        {"/nowhere/program", RETRY_CONFIG, "cannot run"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_with(rows[i].run, "");
        struct dest_result r = deliver();
        cr_expect(eq(str, (char *)r.outcome.error_class, "command"));
        expect_failure(r, rows[i].class, rows[i].text);
        destination_release(dest);
        config_release(&config);
    }
    open_with("true", "");
}

Test(dest_command, it_does_not_run_for_damaged_bytes)
{
    static char large[300000];
    struct job j = dest_job("k", large, sizeof large);
    int fd = dest_data(large, sizeof large);

    open_with("touch $D/ran", "");
    cr_assert(pwrite(fd, "x", 1, sizeof large - 1) == 1);
    expect_failure(deliver_fd(&j, fd), RETRY_NEVER, "spool corrupt");
    expect_failure(deliver_fd(&j, dest_data(large, 7)), RETRY_NEVER, "spool short");
    cr_expect(ne(int, access(tmpdir_file(&dir, "ran").path, F_OK), 0));
    job_release(&j);
}

Test(dest_command, it_is_ended_when_it_takes_or_writes_more_than_it_may)
{
    open_with("sleep 100", "time_limit = 100ms");
    expect_failure(deliver(), RETRY_TRANSIENT, "longer than its time_limit");
    destination_release(dest);
    config_release(&config);
    open_with("yes", "max_bytes = 100000");
    expect_failure(deliver(), RETRY_TRANSIENT, "more than its max_bytes");
}

Test(dest_command, one_that_reads_nothing_is_done_too)
{
    static char large[2000000];
    struct job j = dest_job("k", large, sizeof large);

    open_with("true", "");
    struct dest_result r = deliver_fd(&j, dest_data(large, sizeof large));
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    outcome_release(&r.outcome);
    job_release(&j);
}

static void abort_when_it_runs(uv_timer_t *timer)
{
    if (*text_of("pid")) {
        destination_abort(dest, timer->data);
        (void)uv_timer_stop(timer);
    }
}

/* It takes SIGTERM as a wish to end well: that is not known to be the whole work. */
Test(dest_command, an_abort_ends_it)
{
    struct job j = dest_job("k", BODY, strlen(BODY));
    struct dest_result r = {0};
    struct destination_work w = {.job = &j,
                                 .fd = dest_data(BODY, strlen(BODY)),
                                 .done = dest_on_done,
                                 .ctx = &r};
    static uv_timer_t timer; /* closed with the loop */

    open_with("sh -c \"trap 'exit 0' TERM; echo $$ > $D/pid; sleep 100 & wait\"", "");
    (void)uv_timer_init(&loop, &timer);
    timer.data = destination_begin(dest, &w);
    (void)uv_timer_start(&timer, abort_when_it_runs, 5, 5);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    cr_expect(r.outcome.aborted && !r.outcome.done);
    pid_t pid = (pid_t)strtol(text_of("pid"), NULL, 10);
    cr_expect(WAIT_UNTIL(kill(pid, 0) < 0, 5000));
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_command, it_is_not_started_when_the_lease_has_run_out)
{
    struct job j = dest_job("k", BODY, strlen(BODY));
    _Atomic int64_t until_ms = clock_boot_ms();
    struct dest_result r = {0};
    struct destination_work w = {.job = &j,
                                 .fd = dest_data(BODY, strlen(BODY)),
                                 .until_ms = &until_ms,
                                 .done = dest_on_done,
                                 .ctx = &r};

    open_with("touch $D/ran", "");
    cr_assert(destination_begin(dest, &w) != NULL);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(r.outcome.aborted);
    cr_expect(ne(int, access(tmpdir_file(&dir, "ran").path, F_OK), 0));
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_command, what_it_did_cannot_be_looked_at)
{
    struct job j = dest_job("k", BODY, strlen(BODY));
    struct dest_result r = {0};
    struct destination_work w = {
        .job = &j, .fd = -1, .only_look = true, .done = dest_on_done, .ctx = &r};

    open_with("touch $D/ran", "");
    cr_assert(destination_begin(dest, &w) != NULL);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(r.outcome.blind && r.outcome.class == RETRY_NEVER);
    cr_expect(ne(int, access(tmpdir_file(&dir, "ran").path, F_OK), 0));
    outcome_release(&r.outcome);
    job_release(&j);
}
