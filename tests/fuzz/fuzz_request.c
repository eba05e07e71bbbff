/*
 * fuzz request: each line of the input is a CGI parameter; then an empty line, and lines "name=value" that come as form fields.
 * What is taken holds what request.h and options.h promise; a job that comes of it is one that every part of hoist takes.
 */
#include "tests/fuzz/fuzz.h"

#include "fcgi-app/upload/options.h"
#include "shared/cleanup.h"

#include <stdlib.h>
#include <string.h>

enum { PARAMS_MAX = 64 };

#define NOW_MS INT64_C(1700000000000)

static const struct config *configuration(void)
{
    static struct config config;
    static bool made;
    struct err e = ERR_INIT;

    if (made)
        return &config;
    config_init(&config);
    must(config_parse(
             &config, "t",
             "[destination disk]\nurl = file:///srv/x\n"
             "[destination s3]\nurl = s3://bucket\naccess_key = A\nsecret_key = B\n"
             "[queue media]\nto = s3\n[converter gzip]\nrun = true\n",
             NULL, &e) == ERR_OK);
    made = true;
    return &config;
}

/* Cut the next line off; NULL at the end and at an empty one. */
static char *cut_line(char **at)
{
    char *line = *at;
    size_t len = strcspn(line, "\n");

    if (len == 0)
        return NULL;
    *at += len + (line[len] == '\n');
    line[len] = '\0';
    return line;
}

static void check_text(const struct request_text *t)
{
    must(strlen(t->s) == t->len);
}

static void check_request(const struct request *r)
{
    must(r->segment_count <= REQUEST_SEGMENTS_MAX &&
         r->query_count <= REQUEST_QUERY_MAX);
    for (size_t i = 0; i < r->segment_count; i++)
        check_text(&r->segments[i]);
    for (size_t i = 0; i < r->query_count; i++) {
        check_text(&r->query[i].name);
        check_text(&r->query[i].value);
    }
    must(r->content_length >= -1 && r->content_length <= INT64_C(1) << 53);
    must(r->text.len <= REQUEST_TEXT_MAX);
}

/* Nothing that a job_check or a manifest would refuse may come out. */
static void check_job(const struct options *o)
{
    CLEANUP(job_release) struct job j = JOB_INIT, back = JOB_INIT;
    CLEANUP(buf_release) struct buf text = BUF_INIT(JOB_RECORD_MAX);
    static const char zeros[] =
        "0000000000000000000000000000000000000000000000000000000000000000";
    struct err e = ERR_INIT;

    if (options_make_job(o, &j, &e) != PROBLEM_NONE)
        return;
    (void)memcpy(j.id.uuid.text, "01890a5d-ac96-774b-bcce-b302099a8057",
                 sizeof j.id.uuid.text);
    free(j.sha256);
    j.sha256 = strdup(zeros);
    must(j.sha256 != NULL);
    if (!j.name)
        must(job_set_name(&j, "a", 1, &e) == ERR_OK);
    if (!j.key) {
        char key[ID_UUID_LEN + 10];
        job_default_key(&j, key);
        must(job_set_key(&j, key, strlen(key), &e) == ERR_OK);
    }
    if (!j.type)
        must(job_set_type(&j, "a/b", 3, &e) == ERR_OK);
    if (!j.source)
        j.source = strdup("spool");
    must(job_encode_manifest(&j, &text, &e) == ERR_OK);
    must(job_decode_manifest(text.data, text.len, &back, &e) == ERR_OK);
}

static void set_fields(struct options *o, char *at)
{
    struct err e = ERR_INIT;
    char *line;

    options_enter_form(o);
    while ((line = cut_line(&at))) {
        char *equals = strchr(line, '=');
        if (!equals)
            continue;
        struct request_text name = {line, (size_t)(equals - line)};
        struct request_text value = {equals + 1, strlen(equals + 1)};
        *equals = '\0';
        if (options_set(o, &name, &value, &e) != PROBLEM_NONE)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(str_free) char *text = strndup((const char *)data, size);
    CLEANUP(request_release) struct request r = {0};
    CLEANUP(options_release) struct options o = {.job = JOB_INIT};
    char *params[PARAMS_MAX + 1] = {NULL};
    struct err e = ERR_INIT;

    must(text != NULL);
    char *at = text;
    for (size_t i = 0; i < PARAMS_MAX && (params[i] = cut_line(&at));)
        i += strchr(params[i], '=') != NULL; /* as the reader of FastCGI gives them */
    params[PARAMS_MAX] = NULL;
    if (*at == '\n')
        at++;
    request_init(&r);
    if (request_parse(&r, params, &e) != PROBLEM_NONE)
        return 0;
    check_request(&r);
    if (options_init(&o, configuration(), &r, NOW_MS, &e) != PROBLEM_NONE)
        return 0;
    set_fields(&o, at);
    check_job(&o);
    return 0;
}
