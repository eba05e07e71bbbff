/*
 * fuzz hook_event: the first line is a queue's name, then comes an entry of its outbox (value.h).  Whatever stands there is
 * told or refused; what is told makes a job for each webhook that wants it, which can be written, reads back the same, has the
 * same id whoever makes it, and whose payload is JSON.
 */
#include "tests/fuzz/json.h"
#include "tests/fuzz/value.h"

#include "shared/cleanup.h"
#include "worker/hooks/hook_event.h"

static const char text[] = "[webhook a]\nurl=https://a.example/x?y\nsecret="
                           "0123456789abcdef0123456789abcdef\n"
                           "[webhook b]\nurl=http://10.0.0.1:90/\nevents=dead,batch\n"
                           "secret=0123456789abcdef0123456789abcdef\n"
                           "[webhook callback]\nsecret="
                           "0123456789abcdef0123456789abcdef\n";

static const struct config *configured(void)
{
    static struct config config;
    static bool is_read;
    struct err e = ERR_INIT;

    if (!is_read) {
        config_init(&config);
        must(config_parse(&config, "fuzz", text, NULL, &e) == ERR_OK);
        is_read = true;
    }
    return &config;
}

static void make(const struct hook_event *v, const struct config_webhook *w,
                 struct job *ret, struct buf *ret_manifest)
{
    struct err e = ERR_INIT;

    must(hook_event_make_job(v, configured(), w, ret, &e) == ERR_OK);
    must(job_check(ret, &e) == ERR_OK && job_is_hook(ret));
    must(job_encode_manifest(ret, ret_manifest, &e) == ERR_OK);
}

static void tell(const struct hook_event *v, const struct config_webhook *w)
{
    CLEANUP(job_release) struct job one = JOB_INIT, two = JOB_INIT, back = JOB_INIT;
    CLEANUP(buf_release) struct buf first = BUF_INIT(JOB_RECORD_MAX);
    CLEANUP(buf_release) struct buf second = BUF_INIT(JOB_RECORD_MAX);
    struct err e = ERR_INIT;

    make(v, w, &one, &first);
    make(v, w, &two, &second);
    must(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    must(job_decode_manifest(first.data, first.len, &back, &e) == ERR_OK);
    must(strlen(one.payload) <= JOB_PAYLOAD_MAX && json_is_valid(one.payload));
    must(strcmp(one.payload, back.payload) == 0 && strcmp(one.to, w->name) == 0);
    must(strcmp(one.hook, v->word) == 0 && (one.callback == NULL) == (*w->url != '\0'));
    must(strncmp(one.group, v->uuid.text, ID_UUID_LEN) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    CLEANUP(str_free) char *queue = take_line(&at, end);
    struct redis_value *entry = value_take(&at, end, 0);
    CLEANUP(hook_event_release) struct hook_event v = {.job = JOB_INIT};
    struct err e = ERR_INIT;
    const struct config_webhook *w;
    size_t place = 0;

    if (id_is_queue(queue, strlen(queue)) &&
        hook_event_parse(entry, queue, &v, &e) == ERR_OK) {
        must(id_is_uuid(v.uuid.text, strlen(v.uuid.text)) && v.kind != 0);
        must(strcmp(v.job.id.queue, queue) == 0);
        while ((w = hook_event_wanted(&v, configured(), &place)))
            tell(&v, w);
    } else {
        must(v.kind == 0 && !v.job.hooks && !v.job.key);
    }
    value_free(entry);
    return 0;
}
