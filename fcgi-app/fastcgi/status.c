#include "fcgi-app/fastcgi/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct line {
    const char *name, *text; /* text NULL: number */
    int64_t number;          /* -1: unknown */
};

static void add_text_line(struct buf *b, const struct line *l)
{
    char name[32];
    (void)snprintf(name, sizeof name, "%s:", l->name);
    buf_printf(b, "%-22s", name);
    if (l->text)
        buf_puts(b, l->text);
    else if (l->number < 0)
        buf_puts(b, "unknown");
    else
        buf_add_int(b, l->number);
    buf_putc(b, '\n');
}

static void add_json_member(struct buf *b, const struct line *l, bool first)
{
    buf_printf(b, first ? "\"%s\":" : ",\"%s\":", l->name);
    if (l->text)
        buf_add_json(b, l->text, strlen(l->text));
    else if (l->number < 0)
        buf_puts(b, "null");
    else
        buf_add_int(b, l->number);
}

static void add(struct buf *b, bool json, const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (json)
            add_json_member(b, &lines[i], i == 0);
        else
            add_text_line(b, &lines[i]);
}

static void add_handler(const struct status_handler *h, bool json, bool first,
                        struct buf *b)
{
    const struct line lines[] = {
        {"pid", NULL, h->thread},
        {"state", h->is_busy ? "Running" : "Idle", 0},
        {"start since", NULL, h->since_s},
        {"requests", NULL, h->requests},
        {"request duration", NULL, h->duration_ms * 1000}, /* php-fpm's are us */
        {"request method", *h->method ? h->method : "-", 0},
        {"request uri", *h->route ? h->route : "-", 0},
    };
    buf_puts(b, !json ? "\n************************\n" : first ? "{" : ",{");
    add(b, json, lines, sizeof lines / sizeof lines[0]);
    if (json)
        buf_putc(b, '}');
}

void status_format(const struct status *s, bool json, bool full, struct buf *ret)
{
    char start[40] = "";
    time_t start_time = (time_t)s->start_s;
    struct tm tm;
    if (gmtime_r(&start_time, &tm))
        (void)strftime(start, sizeof start, "%d/%b/%Y:%H:%M:%S +0000", &tm);
    const struct line lines[] = {
        {"pool", "hoist", 0},
        {"process manager", "dynamic", 0},
        {"start time", json ? NULL : start, s->start_s},
        {"start since", NULL, s->since_s},
        {"accepted conn", NULL, s->accepted},
        {"listen queue", NULL, s->queue},
        {"max listen queue", NULL, s->max_queue},
        {"listen queue len", NULL, s->queue_len},
        {"idle processes", NULL, s->idle},
        {"active processes", NULL, s->active},
        {"total processes", NULL, s->idle + s->active},
        {"max active processes", NULL, s->max_active},
        {"max children reached", NULL, s->max_reached},
        {"slow requests", NULL, s->slow},
    };
    if (json)
        buf_putc(ret, '{');
    add(ret, json, lines, sizeof lines / sizeof lines[0]);
    if (full && json)
        buf_puts(ret, ",\"processes\":[");
    for (size_t i = 0; full && i < s->count; i++)
        add_handler(&s->handlers[i], json, i == 0, ret);
    if (json)
        buf_puts(ret, full ? "]}\n" : "}\n");
}
