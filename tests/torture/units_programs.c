/* The cases of fcgi-app/ and worker/. */
#include "tests/torture/units.h"

#include "shared/json_flat.h"
#include "fcgi-app/upload/multipart.h"
#include "fcgi-app/upload/options.h"
#include "fcgi-app/publish/publish_ring.h"
#include "fcgi-app/http/request.h"
#include "fcgi-app/http/response.h"
#include "shared/cleanup.h"
#include "tests/support/sigv4_sample.h"
#include "worker/s3/s3_error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ret: what it says, for people. */
static enum unit_end end_of(const struct err *e, char ret[static UNIT_TEXT])
{
    if (e->code == ERR_OK)
        return UNIT_DONE;
    (void)snprintf(ret, UNIT_TEXT, "%s", e->text);
    enum err_code code = e->code;
    return code == ERR_NOMEM || code == ERR_RETRY ? UNIT_REFUSED : UNIT_BLAMED;
}

/* What a client is told. */
static enum unit_end end_of_problem(enum problem p, const struct err *e,
                                    char ret[static UNIT_TEXT])
{
    if (p == PROBLEM_NONE)
        return UNIT_DONE;
    (void)snprintf(ret, UNIT_TEXT, "%s", e->text);
    return problem_row(p)->status >= 500 ? UNIT_REFUSED : UNIT_BLAMED;
}

static size_t add(char *ret, size_t at, const char *text, size_t len)
{
    if (len > UNIT_TEXT - 1 - at)
        len = UNIT_TEXT - 1 - at;
    memcpy(ret + at, text, len);
    return at + len;
}

static enum unit_end form(char ret[static UNIT_TEXT])
{
    static const char body[] =
        "--B\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nvalue\r\n"
        "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a long file "
        "name "
        "that does not fit into the first piece of a buffer, which is small.txt\"\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\nhello\r\nworld\r\n--B--\r\n";
    static const struct multipart_limits limits = {
        .parts = 4, .header_bytes = 512, .headers = 16, .outside_bytes = 4096};
    struct multipart m;
    enum unit_end end = UNIT_DONE;
    size_t at = 0;

    multipart_init(&m, "B", 1, &limits);
    for (size_t i = 0; i < sizeof body - 1 && end == UNIT_DONE; i += 50) {
        multipart_feed(&m, body + i,
                       sizeof body - 1 - i < 50 ? sizeof body - 1 - i : 50);
        for (enum multipart_event event;
             (event = multipart_next(&m)) != MULTIPART_MORE;) {
            if (event == MULTIPART_BAD) {
                end = m.no_memory ? UNIT_REFUSED : UNIT_BLAMED;
                break;
            }
            if (event == MULTIPART_DATA)
                at = add(ret, at, m.data, m.data_len);
            if (event == MULTIPART_PART) {
                at = add(ret, at, m.part.name.data, m.part.name.len);
                at = add(ret, at, m.part.filename.data, m.part.filename.len);
                at = add(ret, at, m.part.type.data, m.part.type.len);
            }
        }
    }
    multipart_release(&m);
    return end;
}

static enum unit_end json(char ret[static UNIT_TEXT])
{
    static const char text[] =
        "{\"url\":\"https://example.org/a\",\"queue\":\"media\",\"n\":17,\"b\":true}";
    static struct json_flat j;
    struct err e = ERR_INIT;

    if (json_flat_parse(text, sizeof text - 1, &j, &e))
        return end_of(&e, ret);
    (void)snprintf(ret, UNIT_TEXT, "%zu %s", j.count, j.members[0].text);
    return UNIT_DONE;
}

static enum unit_end request(char ret[static UNIT_TEXT])
{
    char *params[] = {
        (char[]){"REQUEST_METHOD=PUT"},
        (char[]){"REQUEST_URI=/v1/uploads/a%20b.txt?queue=media&key=k%2Fl&group=g&"
                 "meta.author=somebody&priority=3&after=media.0193c0de-7a1b-7c3d-9e4f-"
                 "0123456789ab&unique=u"},
        (char[]){"CONTENT_TYPE=text/plain"},
        (char[]){"CONTENT_LENGTH=5"},
        (char[]){"HTTP_X_HOIST_TO=disk"},
        NULL};
    CLEANUP(config_release) struct config c;
    CLEANUP(request_release) struct request r;
    CLEANUP(options_release) struct options o = {.job = JOB_INIT};
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;

    config_init(&c);
    request_init(&r);
    enum err_code code = config_parse(
        &c, "t", "[queue media]\nto = disk\n[destination disk]\nurl = file:///x\n",
        NULL, &e);
    if (code)
        return end_of(&e, ret);
    enum problem p = request_parse(&r, params, &e);
    if (!p)
        p = options_init(&o, &c, &r, 1700000000000, &e);
    if (!p)
        p = options_make_job(&o, &j, &e);
    if (p)
        return end_of_problem(p, &e, ret);
    (void)snprintf(ret, UNIT_TEXT, "%s %s %s %s %s %s", r.segments[2].s, j.id.queue,
                   j.to, j.key, j.group, j.meta[0].value);
    return UNIT_DONE;
}

static enum unit_end response(char ret[static UNIT_TEXT])
{
    struct response r;

    response_init(&r);
    response_begin(&r, 202, "application/json");
    response_header(&r, "Location",
                    "/v1/jobs/media.0193c0de-7a1b-7c3d-9e4f-0123456789ab");
    for (int i = 0; i < 20; i++)
        (void)buf_puts(&r.body, "{\"id\":\"something\"}"); /* finish looks */
    response_finish(&r, false);
    /* What is sent is whole, or an error of ours: never half a 202. */
    bool whole = !r.head.failed && !r.body.failed;
    enum unit_end end = whole && r.status < 500 ? UNIT_DONE : UNIT_REFUSED;
    if (end == UNIT_DONE)
        (void)snprintf(ret, UNIT_TEXT, "%s%s", r.head.data, r.body.data);
    response_release(&r);
    return end;
}

static enum unit_end ring(char ret[static UNIT_TEXT])
{
    static const char id[] = "media.0193c0de-7a1b-7c3d-9e4f-0123456789ab";
    CLEANUP(publish_ring_release) struct publish_ring r = {0};
    CLEANUP(redis_cmd_release) struct redis_cmd call;
    struct publish_slot slots[2];
    struct job jobs[2] = {JOB_INIT, JOB_INIT};
    char source[] = "spool", to[] = "default", key[] = "k";
    struct uuid batch;
    struct err e = ERR_INIT;

    redis_cmd_init(&call);
    for (size_t i = 0; i < 2; i++) {
        (void)id_parse_job(id, strlen(id), &jobs[i].id);
        jobs[i].source = source;
        jobs[i].to = to;
        jobs[i].key = key;
    }
    memcpy(batch.text, id + 6, sizeof batch.text);
    if (publish_ring_init(&r, &e))
        return end_of(&e, ret);
    if (!publish_slots_init(slots, jobs, 2, &batch))
        return UNIT_REFUSED;
    if (!publish_ring_add(&r, slots, 2))
        return UNIT_BLAMED; /* there is room */
    publish_ring_build(&r, publish_ring_next(&r), &call);
    if (call.failed)
        return UNIT_REFUSED;
    (void)snprintf(ret, UNIT_TEXT, "%zu %zu", call.count, call.bytes.len);
    return UNIT_DONE;
}

static enum unit_end signature(char ret[static UNIT_TEXT])
{
    struct sigv4_signed s = SIGV4_SIGNED_INIT;
    struct sigv4_key k = doc_key();
    struct sigv4_request r = doc_request();
    struct err e = ERR_INIT;

    r.path =
        "/some/long path/that has to be encoded, more than a small buffer holds.txt";
    enum err_code code = sigv4_sign(&s, &k, &r, &e);
    if (code == ERR_OK)
        (void)snprintf(ret, UNIT_TEXT, "%s %s", s.path.data, s.authorization.data);
    if (code == ERR_OK) {
        code = sigv4_presign(&s, &k, &r, 60, &e);
        if (code == ERR_OK)
            (void)snprintf(ret + strlen(ret), UNIT_TEXT - strlen(ret), " %s",
                           s.query.data);
    }
    sigv4_signed_release(&s);
    return end_of(&e, ret);
}

static enum unit_end store_error(char ret[static UNIT_TEXT])
{
    static const char body[] = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code>"
                               "<Message>Please &amp; wait</Message></Error>";
    struct s3_error s;

    if (!s3_error_parse(body, sizeof body - 1, &s))
        return UNIT_BLAMED;
    (void)snprintf(ret, UNIT_TEXT, "%s", s.code);
    return UNIT_DONE;
}

const struct unit_case units_of_programs[] = {
    {"multipart", form},
    {"json_flat", json},
    {"request, options", request},
    {"response", response},
    {"publish ring", ring},
    {"sigv4", signature},
    {"error of a store", store_error},
    {NULL, NULL},
};
