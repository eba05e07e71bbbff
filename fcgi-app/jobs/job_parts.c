#include "fcgi-app/jobs/job_parts.h"

#include <inttypes.h>
#include <string.h>

#include "shared/cleanup.h"
#include "shared/spool_parts.h"

enum { LIST_BYTES = 128 * 1024 /* an ETag of 160 bytes takes 960 at most */ };

/* --- One upload --- */

static bool is_planned(const struct parts_journal *p)
{
    return p->size > 0 && p->part_size > 0;
}

/* How many parts it will have; else the highest that is known. */
static size_t count_all(const struct parts_journal *p)
{
    int64_t n = is_planned(p) ? (p->size - 1) / p->part_size + 1 : 0;

    if (n <= 0)
        return p->part_count;
    return n < PARTS_JOURNAL_PARTS_MAX ? (size_t)n : PARTS_JOURNAL_PARTS_MAX;
}

static bool is_there(const struct parts_journal *p, size_t number)
{
    return number <= p->part_count && p->parts[number - 1].etag;
}

/* Of a planned one. */
static int64_t size_of(const struct parts_journal *p, size_t number)
{
    int64_t before = (int64_t)(number - 1) * p->part_size;

    return p->size - before < p->part_size ? p->size - before : p->part_size;
}

static void add_totals(struct buf *b, const struct parts_journal *p, size_t all)
{
    size_t done = 0;
    int64_t bytes = 0;

    for (size_t number = 1; number <= all; number++)
        if (is_there(p, number)) {
            done++;
            bytes += is_planned(p) ? size_of(p, number) : 0;
        }
    if (is_planned(p))
        buf_printf(b,
                   ",\"size\":%" PRId64 ",\"part_size\":%" PRId64
                   ",\"total\":%zu,\"done\":%zu,\"done_bytes\":%" PRId64,
                   p->size, p->part_size, all, done, bytes);
    else
        buf_printf(b, ",\"done\":%zu", done);
}

static void add_part(struct buf *b, const struct parts_journal *p, size_t number)
{
    buf_printf(b, "{\"number\":%zu", number);
    if (is_planned(p))
        buf_printf(b, ",\"size\":%" PRId64, size_of(p, number));
    if (is_there(p, number)) {
        const char *etag = p->parts[number - 1].etag;
        buf_puts(b, ",\"state\":\"done\",\"etag\":");
        buf_add_json(b, etag, strlen(etag));
    } else {
        buf_puts(b, ",\"state\":\"missing\"");
    }
    buf_putc(b, '}');
}

/* The first that is shown of all: half of those before the first that is missing, as far as there are enough behind it. */
static size_t first_shown(const struct parts_journal *p, size_t all, size_t most)
{
    size_t missing = 1;

    while (missing <= all && is_there(p, missing))
        missing++;
    size_t from = missing > most / 2 ? missing - most / 2 : 1;
    size_t latest = all > most ? all - most + 1 : 1;
    return from < latest ? from : latest;
}

void job_parts_format(struct buf *b, const struct parts_journal *p, size_t most)
{
    size_t all = count_all(p), from = first_shown(p, all, most);

    buf_puts(b, "{\"to\":");
    buf_add_json(b, p->destination, strlen(p->destination));
    add_totals(b, p, all);
    buf_puts(b, ",\"parts\":[");
    for (size_t number = from; number <= all && number < from + most; number++) {
        if (number > from)
            buf_putc(b, ',');
        add_part(b, p, number);
    }
    buf_puts(b, "]}");
}

/* --- All of a job --- */

/* False: there is none that goes on, or it cannot be read. */
static bool read_journal(struct spool *s, const struct spool_parts_id *id,
                         struct parts_journal *ret)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(PARTS_JOURNAL_MAX);
    struct err e = ERR_INIT;
    bool missing, cut;

    return spool_parts_read(s, id, &text, &missing, &cut, NULL, &e) == ERR_OK &&
           text.len > 0 &&
           parts_journal_parse(text.data, text.len, ret, &e) == ERR_OK && ret->key &&
           parts_journal_current(ret);
}

/* The names of j->to, one after the other. */
static bool next_name(const char **to, char ret[static ID_QUEUE_MAX + 1])
{
    size_t len = strcspn(*to, ",");

    if (!id_is_queue(*to, len)) /* "" at the end */
        return false;
    memcpy(ret, *to, len);
    ret[len] = '\0';
    *to += len + ((*to)[len] == ',');
    return true;
}

void job_parts_add(struct buf *b, struct spool *s, const struct job *j)
{
    static const char end[] = "}\n";
    CLEANUP(buf_release) struct buf list = BUF_INIT(LIST_BYTES);
    struct spool_parts_id id = {.job = j->id};
    const char *to = j->to;
    size_t most = JOB_PARTS_SHOWN;

    while (next_name(&to, id.destination)) {
        CLEANUP(parts_journal_release) struct parts_journal p = PARTS_JOURNAL_INIT;
        if (!read_journal(s, &id, &p))
            continue;
        if (list.len > 0)
            buf_putc(&list, ',');
        job_parts_format(&list, &p, most);
        size_t all = count_all(&p);
        most -= all < most ? all : most;
    }
    if (list.len == 0 || list.failed || b->failed || b->len < strlen(end))
        return;
    b->len -= strlen(end); /* they come again */
    buf_puts(b, ",\"multipart\":[");
    buf_add(b, list.data, list.len);
    buf_putc(b, ']');
    buf_puts(b, end);
}
