/* fill_spool DIR COUNT QUEUES: COUNT accepted uploads of 20 bytes, without syncs, in turn for queues q0, q1, ... */
#include "shared/job.h"
#include "shared/job_set.h"
#include "shared/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_MAX = 10 * 1000 * 1000, QUEUES_MAX = 100 };

static enum err_code add_one(struct spool *s, long i, long queues, struct err *e)
{
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct job j = JOB_INIT;
    char text[32], queue[ID_QUEUE_MAX + 1];
    int len = snprintf(text, sizeof text, "%019ld\n", i);

    (void)snprintf(queue, sizeof queue, "q%ld", i % queues);
    memcpy(j.id.queue, queue, strlen(queue) + 1);
    j.max_attempts = 10;
    j.to = strdup("default");
    enum err_code code = j.to ? ERR_OK : err_set(e, ERR_NOMEM, "no memory");
    if (code == ERR_OK)
        code = job_set_name(&j, "report.pdf", strlen("report.pdf"), e);
    if (code == ERR_OK)
        code = job_set_type(&j, "application/pdf", strlen("application/pdf"), e);
    if (code == ERR_OK)
        code = spool_begin(s, &u, e);
    if (code == ERR_OK)
        code = spool_write(s, &u, text, (size_t)len, e);
    if (code == ERR_OK) {
        char key[ID_UUID_LEN + 10];
        j.id.uuid = u.uuid;
        job_default_key(&j, key);
        code = job_set_key(&j, key, strlen(key), e);
    }
    if (code == ERR_OK)
        code = spool_commit(s, &u, &j, 1, e);
    else
        spool_abort(s, &u);
    job_release(&j);
    return code;
}

static long number(const char *s, long max)
{
    char *end;
    long n = strtol(s, &end, 10);

    return *s && !*end && n > 0 && n <= max ? n : 0;
}

int main(int argc, char **argv)
{
    long count = argc == 4 ? number(argv[2], COUNT_MAX) : 0;
    long queues = argc == 4 ? number(argv[3], QUEUES_MAX) : 0;
    struct spool *s = NULL;
    struct err e = ERR_INIT;

    if (count == 0 || queues == 0) {
        fprintf(stderr, "usage: fill_spool DIR COUNT QUEUES\n");
        return 2;
    }
    enum err_code code = spool_open(&(struct spool_options){.dir = argv[1]}, &s, &e);
    for (long i = 0; i < count && code == ERR_OK; i++)
        code = add_one(s, i, queues, &e);
    spool_close(s);
    if (code != ERR_OK)
        fprintf(stderr, "fill_spool: %s\n", e.text);
    return code == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
