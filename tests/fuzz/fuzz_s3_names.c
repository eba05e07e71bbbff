/*
 * fuzz s3_names: a template, a file name and metadata, a line each, become a key below its prefix, a URL and headers, or are
 * refused; whatever they hold, nothing in those ends early or begins anew.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/cleanup.h"
#include "shared/job_key.h"
#include "shared/s3_meta.h"
#include "shared/s3_presign.h"
#include "worker/s3/s3_object.h"

#include <stdlib.h>
#include <string.h>

#define UUID "0193c0de-7a1b-7c3d-9e4f-0123456789ab"

/* One line's worth of header or URL. */
static bool is_plain(const struct buf *b, bool blanks)
{
    for (size_t i = 0; i < b->len; i++)
        if (b->data[i] > '~' || b->data[i] < (blanks ? ' ' : '!'))
            return false;
    return true;
}

static void check_headers(const char *name, const char *value)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);
    size_t quotes = 0;

    s3_object_add_disposition(&b, "{name}", name);
    for (size_t i = 0; i < b.len; i++)
        quotes += b.data[i] == '"';
    must(is_plain(&b, true) && quotes == 2 && strncmp(b.data, "filename=\"", 10) == 0);
    buf_clear(&b);
    s3_meta_add_value(&b, value);
    must(is_plain(&b, true) && s3_meta_bytes("", value) == b.len + 11);
    buf_clear(&b);
    s3_object_add_tags(&b, value);
    must(is_plain(&b, false));
}

static void check_key(struct config *c, struct job *j)
{
    CLEANUP(buf_release) struct buf url = BUF_INIT(S3_PRESIGN_MAX);
    struct err e = ERR_INIT;

    if (job_key_check_template(c->destinations[0].key, 2, &e) != ERR_OK) {
        must(e.code == ERR_CONFIG);
        return;
    }
    if (job_key_fill(c, j, &e) != ERR_OK) {
        must(e.code == ERR_REJECT && strncmp(e.text, "meta.", 5) == 0);
        return;
    }
    must(job_key_is_safe(j->key, strlen(j->key)) && strstr(j->key, UUID));
    must(s3_presign_get(&c->destinations[0], j->key, 1369353600, 60, &url, &e) ==
         ERR_OK);
    must(is_plain(&url, false) && strncmp(url.data, "https://x/bucket/p/", 19) == 0 &&
         !strstr(url.data, "/../"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config c = {.destination_count = 1,
                              .destinations = {{.name = "d",
                                                .scheme = CONFIG_S3,
                                                .endpoint = "https://x",
                                                .region = "r",
                                                .bucket = "bucket",
                                                .prefix = "p",
                                                .access_key = "A",
                                                .secret_key = "B",
                                                .session_token = ""}}};
    CLEANUP(job_release) struct job j = JOB_INIT;
    CLEANUP(str_free) char *text = strndup((const char *)data, size);
    struct err e = ERR_INIT;
    char *name = strchrnul(text, '\n');
    char *value = *name ? strchrnul(name + 1, '\n') : name;

    if (*name)
        *name++ = '\0';
    if (*value)
        *value++ = '\0';
    memcpy(j.id.queue, "media", 6);
    memcpy(j.id.uuid.text, UUID, sizeof UUID);
    j.created = 1709168645999;
    j.to = strdup("d");
    must(j.to && job_set_name(&j, name, strlen(name), &e) == ERR_OK);
    if (job_add_meta(&j, "a", 1, value, strlen(value), &e) != ERR_OK)
        must(e.code == ERR_REJECT && j.meta_count == 0);
    c.destinations[0].key = text;
    check_headers(name, value);
    check_key(&c, &j);
    return 0;
}
