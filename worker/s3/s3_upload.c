#include "worker/s3/s3_upload_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "worker/job_log.h"

enum { CREATES_MAX = 4, WAIT_BASE_MS = 200, WAIT_CAP_MS = 5000, KEY_ROOM = 4096 };

static void begin_create(struct s3_upload *u);

/* --- what it comes to --- */

int64_t s3_upload_wait_ms(const struct s3_answer *a, unsigned tries)
{
    struct retry_policy policy = {WAIT_BASE_MS, WAIT_CAP_MS};

    return retry_delay_ms(&policy, a->class, tries, a->retry_after_ms,
                          (uint64_t)clock_mono_us() * 2654435761U);
}

bool s3_upload_may_retry(const struct s3_upload *u, const struct s3_answer *a,
                         unsigned tries)
{
    return tries < S3_UPLOAD_TRIES && a->retry_after_ms <= WAIT_CAP_MS &&
           (a->class == RETRY_TRANSIENT || a->class == RETRY_THROTTLED) &&
           flow_may_retry(u->dest->base.flow); /* last: it is paid for */
}

static void on_later(uv_timer_t *timer)
{
    struct s3_upload *u = timer->data;

    if (!u->closing)
        u->o.on_result(&u->result, u->o.ctx);
}

void s3_upload_report(struct s3_upload *u, const struct s3_upload_result *r)
{
    if (u->reported)
        return;
    u->reported = true;
    u->result = *r;
    s3_upload_stop_parts(u);
    (void)uv_timer_start(&u->later, on_later, 0, 0);
}

void s3_upload_report_answer(struct s3_upload *u, const struct s3_answer *a)
{
    struct s3_upload_result r = {.answer = *a};

    if (a->verdict == S3_PLAINER || a->verdict == S3_SKEWED)
        r.answer.verdict = S3_FAILED; /* there is nothing left to leave out */
    s3_upload_report(u, &r);
}

void s3_upload_report_err(struct s3_upload *u, const struct err *e)
{
    struct s3_upload_result r = {.answer = {.verdict = S3_FAILED}};

    r.answer.class = e->code == ERR_REJECT   ? RETRY_NEVER
                     : e->code == ERR_CONFIG ? RETRY_CONFIG
                                             : RETRY_TRANSIENT;
    memcpy(r.answer.error, e->text, sizeof e->text);
    s3_upload_report(u, &r);
}

bool s3_upload_is_held(struct s3_upload *u, const struct s3_call_result *r)
{
    struct s3_upload_result held = {
        .hold_ms = r->hold_ms,
        .answer = {.verdict = S3_FAILED, .class = RETRY_TRANSIENT}};

    if (r->hold_ms <= 0)
        return false;
    (void)snprintf(held.answer.error, sizeof held.answer.error, "%s",
                   r->http->error ? r->http->error : "the store refuses the keys");
    s3_upload_report(u, &held);
    return true;
}

bool s3_upload_is_late(struct s3_upload *u)
{
    struct s3_upload_result r = {.late = true};

    if (!destination_is_late(u->o.work))
        return false;
    s3_upload_report(u, &r);
    return true;
}

bool s3_upload_goes_on(struct s3_upload *u)
{
    if (u->closing)
        s3_upload_close_step(u);
    return !u->closing && !u->reported;
}

/* --- opening --- */

static void opened(struct s3_upload *u)
{
    u->state = S3_UPLOAD_OPENED;
    u->o.on_open(u->o.ctx);
}

static void on_named(enum err_code code, const struct err *e, void *ctx)
{
    struct s3_upload *u = ctx;

    u->only_own = destination_is_late(u->o.work); /* another owner may not know of it */
    if (!s3_upload_goes_on(u))
        return;
    if (code != ERR_OK)
        s3_upload_report_err(u, e);
    else if (!s3_upload_is_late(u))
        opened(u);
}

/* The answer says that none was made, or leaves it open. */
static void create_failed(struct s3_upload *u, const struct s3_call_result *r,
                          struct s3_answer *a)
{
    const struct http_result *result = r->http;
    int status = result->response->status;

    if (r->hold_ms > 0 && status == 0)
        s3_journal_refused(&u->journal); /* nothing was sent */
    if (result->net == RETRY_NET_OK && status >= 300 && status < 600 &&
        (status < 500 || status == 501 || status == 503))
        s3_journal_refused(&u->journal);
    if (!s3_upload_goes_on(u) || s3_upload_is_held(u, r))
        return;
    if (a->verdict == S3_PLAINER && u->checksum != CONFIG_NO_CHECKSUM &&
        u->creates < CREATES_MAX) {
        u->checksum = CONFIG_NO_CHECKSUM;
        begin_create(u);
    } else if (a->verdict == S3_SKEWED && u->creates < CREATES_MAX) {
        dest_s3_set_skew(u->dest, a->skew_s);
        begin_create(u);
    } else {
        s3_upload_report_answer(u, a);
    }
}

static void on_created(const struct s3_call_result *r, void *ctx)
{
    struct s3_upload *u = ctx;
    struct s3_answer a = s3_answer_create(r->http, clock_wall_ms() / 1000, u->id);

    u->call = NULL;
    if (a.verdict != S3_DONE) {
        create_failed(u, r, &a);
        return;
    }
    if (u->checksum == CONFIG_NO_CHECKSUM)
        dest_s3_forget_checksum(u->dest);
    s3_journal_upload(&u->journal, u->id, on_named, u);
}

static void send_create(struct s3_upload *u)
{
    struct s3_call_order o = {.operation = S3_CREATE_PARTS,
                              .job = u->o.work->job,
                              .checksum = u->checksum,
                              .done = on_created,
                              .ctx = u};
    struct err e = ERR_INIT;

    if (s3_upload_is_late(u))
        return;
    u->creates++;
    u->call = s3_call_begin(u->dest, &o);
    if (u->call)
        return;
    s3_journal_refused(&u->journal);
    (void)err_set(&e, ERR_NOMEM, "no memory for a request");
    s3_upload_report_err(u, &e);
}

static void on_intended(enum err_code code, const struct err *e, void *ctx)
{
    struct s3_upload *u = ctx;

    if (!s3_upload_goes_on(u))
        return;
    if (code != ERR_OK)
        s3_upload_report_err(u, e);
    else
        send_create(u);
}

static void begin_create(struct s3_upload *u)
{
    s3_journal_begin(&u->journal, &u->head, on_intended, u);
}

/* --- what an earlier owner left --- */

static void on_forgotten(enum err_code code, const struct err *e, void *ctx)
{
    struct s3_upload *u = ctx;

    if (!s3_upload_goes_on(u))
        return;
    if (code != ERR_OK) {
        s3_upload_report_err(u, e);
        return;
    }
    struct s3_journal fresh;
    s3_journal_init(&fresh, u->journal.loop, u->journal.spool, &u->journal.id);
    s3_journal_release(&u->journal);
    u->journal = fresh;
    begin_create(u);
}

static void on_old_cleared(const struct s3_answer *a, void *ctx)
{
    struct s3_upload *u = ctx;

    u->clear = NULL;
    if (!s3_upload_goes_on(u))
        return;
    if (a->verdict == S3_DONE)
        s3_journal_remove(&u->journal, on_forgotten, u);
    else
        s3_upload_report_answer(u, a);
}

static void on_read(enum err_code code, const struct err *e, void *ctx)
{
    struct s3_upload *u = ctx;
    const struct parts_journal *j = &u->journal.found;
    const struct parts_journal_upload *current = parts_journal_current(j);
    bool same = parts_journal_is_of(j, &u->head) && u->o.size >= 0;
    struct err no_memory = ERR_INIT;

    u->journal_read = code == ERR_OK;
    if (!s3_upload_goes_on(u))
        return;
    (void)err_set(&no_memory, ERR_NOMEM, "no memory to go on with an upload");
    if (code != ERR_OK) {
        s3_upload_report_err(u, e);
    } else if (!u->journal.missing && (!same || u->journal.damaged)) {
        if (!s3_upload_begin_clear(u, on_old_cleared))
            s3_upload_report_err(u, &no_memory);
    } else if (u->journal.missing || !current) {
        begin_create(u);
    } else if (!s3_upload_adopt(u)) {
        s3_upload_report_err(u, &no_memory);
    } else {
        (void)memcpy(u->id, current->id, strlen(current->id) + 1);
        log_info("s3_upload", "goes on with what another worker began",
                 LOG_STR("key", u->head.key), LOG_INT("parts", u->parts_done),
                 LOG_JOB(u->o.work->job));
        opened(u);
    }
}

static const char *checksum_word(enum config_checksum checksum)
{
    return checksum == CONFIG_SHA256   ? "sha256"
           : checksum == CONFIG_CRC32C ? "crc32c"
           : checksum == CONFIG_MD5    ? "md5"
                                       : "no";
}

static bool fill_head(struct s3_upload *u)
{
    const struct config_destination *c = u->dest->base.config;
    const struct job *job = u->o.work->job;

    s3_address_add_object(&u->key, c, job->key);
    u->head = (struct parts_journal_head){
        .destination = c->name,
        .bucket = c->bucket,
        .key = u->key.data,
        .size = u->o.size,
        .part_size = u->o.part_size,
        .checksum = checksum_word(u->checksum),
        .sha256 = u->o.size >= 0 && job->sha256 ? job->sha256 : ""};
    return !u->key.failed;
}

struct s3_upload *s3_upload_open(const struct s3_upload_options *o)
{
    struct s3_upload *u = calloc(1, sizeof *u);
    struct dest_s3 *d = o->dest;
    struct spool_parts_id id = {.job = o->work->job->id};

    if (!u)
        return NULL;
    u->o = *o;
    u->dest = d;
    u->checksum = d->checksum;
    buf_init(&u->key, KEY_ROOM);
    buf_init(&u->body, (size_t)S3_PARTS_MAX * 512);
    if (!fill_head(u)) {
        buf_release(&u->key);
        free(u);
        return NULL;
    }
    memcpy(id.destination, d->base.config->name, sizeof id.destination);
    s3_journal_init(&u->journal, d->loop, d->spool, &id);
    u->tick.data = u->later.data = u;
    (void)uv_timer_init(d->loop, &u->tick); /* cannot fail */
    (void)uv_timer_init(d->loop, &u->later);
    u->open_handles = 2;
    s3_journal_read(&u->journal, on_read, u);
    return u;
}

enum config_checksum s3_upload_checksum(const struct s3_upload *u)
{
    return u->checksum;
}

bool s3_upload_wants_sha256(const struct s3_upload *u)
{
    return u->checksum == CONFIG_SHA256 || !u->dest->endpoint.https;
}
