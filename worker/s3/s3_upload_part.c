#include "worker/s3/s3_upload_internal.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "worker/job_log.h"

enum { TICK_MS = 100, ROOM_STEP = 64 };

static void send_part(struct s3_slot *s);

/* --- what is known of parts --- */

static bool make_room(struct s3_upload *u, int number)
{
    if (number <= u->part_room)
        return true;
    int room = number + (number > ROOM_STEP ? number / 2 : ROOM_STEP);
    struct s3_part *parts = reallocarray(u->parts, (size_t)room, sizeof *parts);
    if (!parts)
        return false;
    u->parts = parts;
    int64_t *lens = reallocarray(u->part_lens, (size_t)room, sizeof *lens);
    if (!lens)
        return false;
    u->part_lens = lens;
    memset(parts + u->part_room, 0, (size_t)(room - u->part_room) * sizeof *parts);
    memset(lens + u->part_room, 0, (size_t)(room - u->part_room) * sizeof *lens);
    u->part_room = room;
    return true;
}

/* The store has part number, under this ETag, which becomes ours. */
static void note_part(struct s3_upload *u, int number, char *etag,
                      const struct s3_part_sums *sums, int64_t len)
{
    struct s3_part *p = &u->parts[number - 1];

    if (p->etag) { /* once more */
        u->parts_done--;
        u->bytes_done -= u->part_lens[number - 1];
    }
    s3_part_release(p);
    *p = (struct s3_part){.etag = etag, .sums = *sums};
    u->part_lens[number - 1] = len;
    u->parts_done++;
    u->bytes_done += len;
}

bool s3_upload_adopt(struct s3_upload *u)
{
    const struct parts_journal *j = &u->journal.found;
    struct s3_plan plan = s3_plan_make(u->o.size, u->o.part_size);

    for (int n = 1; n <= plan.count && (size_t)n <= j->part_count; n++) {
        const struct parts_journal_part *from = &j->parts[n - 1];
        struct s3_part_sums sums = {.crc32c = from->crc32c,
                                    .has_sha256 = from->has_sha256};
        if (!from->etag)
            continue;
        memcpy(sums.sha256, from->sha256, sizeof sums.sha256);
        char *etag = make_room(u, n) ? strdup(from->etag) : NULL;
        if (!etag)
            return false;
        note_part(u, n, etag, &sums, s3_plan_len(&plan, n));
    }
    return true;
}

bool s3_upload_has(const struct s3_upload *u, int number,
                   const struct s3_part_sums *sums)
{
    const struct s3_part *p = number <= u->part_room ? &u->parts[number - 1] : NULL;

    if (!p || !p->etag || p->sums.crc32c != sums->crc32c)
        return false;
    if (u->checksum != CONFIG_SHA256 && !(p->sums.has_sha256 && sums->has_sha256))
        return true;
    return p->sums.has_sha256 && sums->has_sha256 &&
           memcmp(p->sums.sha256, sums->sha256, sizeof sums->sha256) == 0;
}

void s3_upload_release_parts(struct s3_upload *u)
{
    for (int i = 0; i < u->part_room; i++)
        s3_part_release(&u->parts[i]);
    free(u->parts);
    free(u->part_lens);
}

struct s3_upload_progress s3_upload_progress(const struct s3_upload *u)
{
    struct s3_upload_progress p = {u->bytes_done, u->parts_done};

    for (size_t i = 0; i < S3_UPLOAD_AT_ONCE_MAX; i++)
        if (u->slots[i].call)
            p.sent += s3_call_sent(u->slots[i].call);
    return p;
}

/* --- one part --- */

/* Each piece of a body before it leaves.  The last one does not, when the bytes are not those that were hashed. */
static bool pass(const void *data, size_t len, int64_t offset, void *ctx)
{
    struct s3_slot *s = ctx;

    if (destination_is_late(s->upload->o.work))
        return false;
    s->crc32c = digest_crc32c(offset == 0 ? 0 : s->crc32c, data, len);
    return offset + (int64_t)len < s->part.body.len || s->crc32c == s->part.sums.crc32c;
}

static void note_in_journal(struct s3_upload *u, const struct s3_slot *s,
                            const char *etag)
{
    struct parts_journal_part part = {.etag = (char *)etag, /* read only */
                                      .crc32c = s->part.sums.crc32c,
                                      .has_sha256 = s->part.sums.has_sha256};

    memcpy(part.sha256, s->part.sums.sha256, sizeof part.sha256);
    s3_journal_part(&u->journal, u->id, s->part.number, &part);
}

static void is_there(struct s3_slot *s, const char *etag, int64_t took_ms)
{
    struct s3_upload *u = s->upload;
    int number = s->part.number;
    char *copy = strdup(etag);

    if (!copy) {
        struct err e = ERR_INIT;
        (void)err_set(&e, ERR_NOMEM, "no memory to note a part");
        s3_upload_report_err(u, &e);
        return;
    }
    note_part(u, number, copy, &s->part.sums, s->part.body.len);
    s3_pace_note(&u->pace, took_ms);
    note_in_journal(u, s, etag);
    s->busy = false;
    u->o.on_part(number, u->o.ctx);
}

/* What the body was not read to its end for. */
static void source_failed(struct s3_upload *u)
{
    struct s3_upload_result r = {.source_failed = true,
                                 .answer = {.verdict = S3_FAILED}};

    if (!s3_upload_is_late(u))
        s3_upload_report(u, &r);
}

static void on_failed(struct s3_slot *s, struct s3_answer *a)
{
    struct s3_upload *u = s->upload;

    if (a->verdict == S3_PLAINER && u->checksum != CONFIG_NO_CHECKSUM) {
        u->checksum = CONFIG_NO_CHECKSUM; /* the upload of an earlier owner, who knew */
        s->due_ms = clock_mono_ms();
    } else if (a->verdict == S3_SKEWED && s->tries < S3_UPLOAD_TRIES) {
        dest_s3_set_skew(u->dest, a->skew_s);
        s->due_ms = clock_mono_ms();
    } else if (a->verdict == S3_FAILED && s3_upload_may_retry(u, a, s->tries)) {
        s->due_ms = clock_mono_ms() + s3_upload_wait_ms(a, s->tries);
        log_debug("s3_upload", "a part is sent again", LOG_INT("part", s->part.number),
                  LOG_STR("error", a->error), LOG_JOB(u->o.work->job));
    } else {
        s3_upload_report_answer(u, a);
    }
}

static void on_part(const struct s3_call_result *r, void *ctx)
{
    struct s3_slot *s = ctx;
    struct s3_upload *u = s->upload;
    const struct http_result *result = r->http;
    int64_t took_ms = clock_mono_ms() - s3_call_began_ms(s->call);

    s->call = NULL;
    if (!s3_upload_goes_on(u) || s3_upload_is_held(u, r))
        return;
    if (s->slow && result->net == RETRY_NET_ABORTED) {
        s->slow = false;
        s->hedges++;
        send_part(s);
        return;
    }
    if (result->source_failed) {
        source_failed(u);
        return;
    }
    struct s3_answer a = s3_answer_part(result, &s->part.sums, clock_wall_ms() / 1000);
    if (a.verdict == S3_DONE)
        is_there(s, result->response->etag, took_ms);
    else
        on_failed(s, &a);
}

static void send_part(struct s3_slot *s)
{
    struct s3_upload *u = s->upload;
    struct s3_call_order o = {.operation = S3_PUT_PART,
                              .job = u->o.work->job,
                              .upload_id = u->id,
                              .number = s->part.number,
                              .checksum = u->checksum,
                              .sums = &s->sums,
                              .body_sha256 = s->sha256[0] ? s->sha256 : NULL,
                              .body = s->part.body,
                              .has_body = true,
                              .done = on_part,
                              .ctx = s};
    struct err e = ERR_INIT;

    if (s3_upload_is_late(u))
        return;
    o.body.pass = pass;
    o.body.ctx = s;
    s->due_ms = 0;
    s->call = s3_call_begin(u->dest, &o);
    if (s->call)
        return;
    (void)err_set(&e, ERR_NOMEM, "no memory for a request");
    s3_upload_report_err(u, &e);
}

int s3_upload_room(const struct s3_upload *u)
{
    int64_t room = u->dest->base.config->part_concurrency;

    if (u->state != S3_UPLOAD_OPENED || u->reported || u->closing)
        return 0;
    room = room < 1 ? 1 : room > S3_UPLOAD_AT_ONCE_MAX ? S3_UPLOAD_AT_ONCE_MAX : room;
    for (size_t i = 0; i < S3_UPLOAD_AT_ONCE_MAX; i++)
        room -= u->slots[i].busy;
    return room > 0 ? (int)room : 0;
}

void s3_upload_send(struct s3_upload *u, const struct s3_upload_part *part)
{
    struct s3_slot *s = u->slots;

    while (s->busy)
        s++; /* there is room */
    *s = (struct s3_slot){.upload = u, .busy = true, .part = *part, .tries = 1};
    s3_sums_text(&part->sums, &s->sums);
    if (part->sums.has_sha256)
        digest_hex_encode(part->sums.sha256, sizeof part->sums.sha256, s->sha256);
    if (!make_room(u, part->number)) {
        struct err e = ERR_INIT;
        (void)err_set(&e, ERR_NOMEM, "no memory for a part");
        s3_upload_report_err(u, &e);
        return;
    }
    s3_upload_start_tick(u);
    send_part(s);
}

/* --- looking after them --- */

void s3_upload_stop_parts(struct s3_upload *u)
{
    for (size_t i = 0; i < S3_UPLOAD_AT_ONCE_MAX; i++)
        if (u->slots[i].call)
            s3_call_cancel(u->slots[i].call);
}

bool s3_upload_has_calls(const struct s3_upload *u)
{
    for (size_t i = 0; i < S3_UPLOAD_AT_ONCE_MAX; i++)
        if (u->slots[i].call)
            return true;
    return false;
}

/* All of it has left, and its answer is waited for longer than its peers' were. */
static bool is_slow(const struct s3_slot *s, int64_t limit_ms, int64_t now_ms)
{
    int64_t began_ms = s->call ? s3_call_began_ms(s->call) : 0;

    return began_ms > 0 && !s->slow && s->hedges < S3_UPLOAD_HEDGES &&
           now_ms - began_ms > limit_ms && s3_call_sent(s->call) >= s->part.body.len;
}

void s3_upload_on_tick(uv_timer_t *tick)
{
    struct s3_upload *u = tick->data;
    int64_t now = clock_mono_ms(), limit = s3_pace_limit_ms(&u->pace);
    bool busy = false;

    for (size_t i = 0; i < S3_UPLOAD_AT_ONCE_MAX && !u->reported; i++) {
        struct s3_slot *s = &u->slots[i];
        busy |= s->busy;
        if (s->busy && !s->call && s->due_ms <= now) {
            s->tries++;
            send_part(s);
        } else if (s->busy && limit >= 0 && is_slow(s, limit, now) &&
                   flow_may_retry(u->dest->base.flow)) {
            log_debug("s3_upload", "a slow part is sent again",
                      LOG_INT("part", s->part.number), LOG_INT("limit_ms", limit),
                      LOG_JOB(u->o.work->job));
            s->slow = true;
            s3_call_cancel(s->call);
        }
    }
    if (!u->reported)
        s3_upload_complete_due(u, now);
    if (u->reported || (!busy && u->complete_due_ms == 0))
        (void)uv_timer_stop(&u->tick);
}

void s3_upload_start_tick(struct s3_upload *u)
{
    if (!uv_is_active((uv_handle_t *)&u->tick))
        (void)uv_timer_start(&u->tick, s3_upload_on_tick, TICK_MS, TICK_MS);
}
