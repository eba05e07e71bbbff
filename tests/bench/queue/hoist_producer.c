#include "tests/bench/queue/hoist.h"

#include <stdlib.h>
#include <string.h>

enum { CALLS = 10 }; /* as many jobs as BullMQ is given at once */

static char *copy(const char *s)
{
    char *c = strdup(s);

    if (!c)
        die("memory", NULL);
    return c;
}

/* What the upload of a photo would leave, its size in the place of its bytes. */
static struct job make_job(void)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    char key[ID_UUID_LEN + 10];

    memcpy(j.id.queue, queue_name, sizeof queue_name);
    j.id.uuid = id_new();
    j.created = clock_wall_ms();
    j.max_attempts = 8;
    j.size = 184320;
    j.source = copy("spool");
    j.sha256 = copy("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    j.crc32c = copy("364b3fb7");
    j.to = copy("default");
    j.type = copy("image/jpeg");
    if (job_set_name(&j, "IMG_2041.jpg", 12, &e))
        die("name", &e);
    job_default_key(&j, key);
    j.key = copy(key);
    return j;
}

static struct queue_entry make_entry(void)
{
    struct queue_entry entry;
    struct job j = make_job();

    queue_entry_init(&entry, &j);
    job_release(&j);
    return entry;
}

static void check_enqueued(const struct redis_value *reply, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum queue_answer answer;
        struct err e = ERR_INIT;
        if (queue_parse_answer(redis_value_at(reply, i), &answer, NULL, &e) != ERR_OK)
            die("enqueue", &e);
        if (answer != QUEUE_OK)
            die("enqueue: not OK", NULL);
    }
}

/* Calls of `size` jobs each, CALLS of them in one write. */
static void enqueue_calls(struct bench *b, size_t count, size_t size)
{
    static struct redis_cmd cmds[CALLS];
    struct redis_value *replies[CALLS];
    struct queue_entry entries[BATCH];
    size_t sizes[CALLS], calls = 0;
    struct err e = ERR_INIT;

    for (size_t done = 0; done < count; calls++) {
        size_t n = count - done < size ? count - done : size;
        for (size_t i = 0; i < n; i++)
            entries[i] = make_entry();
        redis_cmd_init(&cmds[calls]);
        queue_enqueue_cmd(&cmds[calls], entries, n);
        for (size_t i = 0; i < n; i++)
            queue_entry_release(&entries[i]);
        sizes[calls] = n;
        done += n;
    }
    if (redis_pipeline(b->redis, cmds, calls, replies, &e) != ERR_OK)
        die("redis", &e);
    for (size_t i = 0; i < calls; i++) {
        check_enqueued(replies[i], sizes[i]);
        redis_reply_free(replies[i]);
        redis_cmd_release(&cmds[i]);
    }
}

double enqueue_all(struct bench *b, int64_t jobs, const char *mode)
{
    int64_t start = clock_mono_us();
    size_t size = strcmp(mode, "bulk") == 0 ? BATCH : 1;
    size_t step = strcmp(mode, "one") == 0 ? 1 : size * CALLS;

    for (int64_t done = 0; done < jobs;) {
        size_t n = jobs - done < (int64_t)step ? (size_t)(jobs - done) : step;
        enqueue_calls(b, n, size);
        done += (int64_t)n;
    }
    return seconds_since(start);
}
