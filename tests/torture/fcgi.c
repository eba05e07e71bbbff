#include "tests/torture/scenario.h"

#include "tests/support/fcgi_client.h"
#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MS = 6000, RECOVERY_MS = 6000, FORM_MAX = 32 * 1024 };

static struct fcgi_response lost(void)
{
    return (struct fcgi_response){.text = calloc(1, 1), .body = "", .closed = true};
}

/* On this connection, or on a new one where it is closed. */
static struct fcgi_response ask(struct run *run, struct fcgi_client *c,
                                const struct fcgi_request *r, struct verdict *v)
{
    if (c->fd < 0 && !fcgi_client_try_open(c, run->rig->socket.path))
        return lost();
    fcgi_client_request(c, r);
    struct fcgi_response response = fcgi_client_response(c, ANSWER_MS);
    if (!response.ended && !response.closed) {
        printf("  BROKEN: %s %s: no answer in time\n", r->method, r->uri);
        v->hung++;
    }
    if (!r->keep || !response.ended)
        fcgi_client_close(c);
    return response;
}

/* A broken connection behind a whole head says as much as the head does: that is what the client is given. */
static enum told told(const struct fcgi_response *r)
{
    if (r->status == 0)
        return TOLD_NOTHING;
    return r->status >= 200 && r->status < 300 ? TOLD_ACCEPTED : TOLD_REFUSED;
}

static void read_id(const struct fcgi_response *r, struct job_id *ret)
{
    const char *at = strstr(r->body, "\"id\":\"");
    const char *end = at ? strchr(at + 6, '"') : NULL;

    if (end && !id_parse_job(at + 6, (size_t)(end - at - 6), ret))
        *ret = (struct job_id){.queue = ""};
}

static void note(struct upload *u, const struct fcgi_response *r, struct verdict *v)
{
    u->told = told(r);
    v->refused += u->told == TOLD_REFUSED;
}

static struct upload *put(struct run *run, struct fcgi_client *c, size_t size,
                          const char *query, struct verdict *v)
{
    static char body[UPLOAD_SIZE_MAX];
    struct upload *u = ledger_add(run->ledger, run->number, size);
    char uri[200];

    upload_fill(u, body);
    (void)snprintf(uri, sizeof uri, "/v1/uploads/%s?key=%s%s", u->name, u->name, query);
    struct fcgi_response r = ask(
        run, c,
        &(struct fcgi_request){
            .method = "PUT", .uri = uri, .body = body, .body_len = size, .keep = true},
        v);
    note(u, &r, v);
    if (u->told == TOLD_ACCEPTED)
        read_id(&r, &u->id);
    fcgi_response_release(&r);
    return u;
}

static void add_part(FILE *out, const struct upload *u)
{
    static char body[UPLOAD_SIZE_MAX];

    upload_fill(u, body);
    fprintf(out,
            "--B\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n%s\r\n"
            "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"%s\"\r\n"
            "Content-Type: text/plain\r\n\r\n%.*s\r\n",
            u->name, u->name, (int)u->size, body);
}

static void put_form(struct run *run, struct fcgi_client *c, struct verdict *v)
{
    static char body[FORM_MAX];
    struct upload *first = ledger_add(run->ledger, run->number, 300);
    struct upload *second = ledger_add(run->ledger, run->number, 9000);
    FILE *out = fmemopen(body, sizeof body, "w");

    if (!out)
        abort();
    add_part(out, first);
    add_part(out, second);
    fputs("--B--\r\n", out);
    size_t len = (size_t)ftell(out);
    (void)fclose(out);
    struct fcgi_response r =
        ask(run, c,
            &(struct fcgi_request){.method = "POST",
                                   .uri = "/v1/uploads",
                                   .type = "multipart/form-data; boundary=B",
                                   .body = body,
                                   .body_len = len,
                                   .keep = true},
            v);
    note(first, &r, v);
    note(second, &r, v);
    fcgi_response_release(&r);
}

static void get(struct run *run, struct fcgi_client *c, const char *uri,
                struct verdict *v)
{
    struct fcgi_response r =
        ask(run, c, &(struct fcgi_request){.method = "GET", .uri = uri}, v);
    fcgi_response_release(&r);
}

static void uri_of(const struct upload *u, char ret[ID_JOB_MAX + 16])
{
    char id[ID_JOB_MAX + 1] = "default.00000000-0000-7000-8000-000000000000";

    if (u->id.queue[0])
        id_format_job(&u->id, id);
    (void)snprintf(ret, ID_JOB_MAX + 16, "/v1/jobs/%s", id);
}

static void delete_it(struct run *run, struct fcgi_client *c, struct upload *u,
                      struct verdict *v)
{
    char uri[ID_JOB_MAX + 16];

    uri_of(u, uri);
    u->cancel_sent = true;
    struct fcgi_response r =
        ask(run, c, &(struct fcgi_request){.method = "DELETE", .uri = uri}, v);
    /* An error of ours (5xx) tells of the answer, not of the job: it may have been cancelled before. */
    u->cancel = r.status >= 500 ? TOLD_NOTHING : told(&r);
    fcgi_response_release(&r);
}

void fcgi_work(struct run *run, struct verdict *v)
{
    struct fcgi_client kept = {.fd = -1}, other = {.fd = -1};
    char uri[ID_JOB_MAX + 16];

    struct upload *large = put(run, &kept, 70000, "", v);
    put_form(run, &kept, v);
    struct upload *grouped = put(run, &other, 5000, "&group=g", v);
    uri_of(large, uri);
    get(run, &kept, uri, v);
    get(run, &other, "/v1/jobs?queue=default&state=waiting", v);
    delete_it(run, &kept, grouped, v);
    fcgi_client_close(&kept);
    fcgi_client_close(&other);
}

/* A PUT is accepted again, soon. */
bool fcgi_recovers(struct run *run)
{
    struct fcgi_client c = {.fd = -1};
    struct verdict ignored = {0};
    int64_t end_ms = wait_now_ms() + RECOVERY_MS;
    bool accepted = false;

    while (!accepted && wait_now_ms() < end_ms) {
        accepted = put(run, &c, 100, "", &ignored)->told == TOLD_ACCEPTED;
        fcgi_client_close(&c);
        if (!accepted)
            for (int i = 0; i < 50;
                 i++) /* 0.1 s, not as often as the ledger can hold */
                wait_a_moment();
    }
    return accepted;
}
