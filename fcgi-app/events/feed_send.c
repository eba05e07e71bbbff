#include "fcgi-app/events/listeners_internal.h"

/* --- Lines --- */

static void stand_in(struct feed_line *line, struct listener *one)
{
    one->line = line;
    one->ahead = line->last;
    one->behind = NULL;
    *(line->last ? &line->last->behind : &line->first) = one;
    line->last = one;
    line->count++;
}

void feed_step_out(struct listener *one)
{
    struct feed_line *line = one->line;
    if (!line)
        return;
    *(one->ahead ? &one->ahead->behind : &line->first) = one->behind;
    *(one->behind ? &one->behind->ahead : &line->last) = one->ahead;
    line->count--;
    one->line = NULL;
    one->ahead = one->behind = NULL;
}

void feed_on_empty(struct listeners *l, struct listener *one)
{
    if (one->joined && !one->gone && !one->line)
        stand_in(&l->feed.fresh, one);
}

/* --- Texts --- */

void feed_text_clear(struct feed_text *t)
{
    buf_clear(&t->text);
    message_drop(t->wire);
    t->wire = NULL;
}

/* He is the last of the line then. */
static void tell(struct listeners *l, struct listener *one, struct feed_text *t,
                 int64_t now)
{
    feed_step_out(one);
    stand_in(&l->feed.told, one);
    one->round = l->feed.round;
    if (t->text.len == 0)
        return;
    if (!t->wire || t->id != one->later.id) {
        message_drop(t->wire);
        t->wire = listeners_make(l, one, &t->text, false);
        t->id = one->later.id;
    }
    one->fed_ms = now;
    listeners_send(l, one, t->wire);
}

/* --- A text goes along the line --- */

bool feed_in_round(const struct feed *f)
{
    return f->told.first && f->told.first->round != f->round;
}

void feed_begin_round(struct feed *f, int64_t now)
{
    bool any = false;
    for (size_t i = 0; i < f->class_count; i++)
        any = any || (f->classes[i].count > 0 && f->classes[i].news.text.len > 0);
    if (!any)
        return;
    f->round++;
    pace_begin(&f->pace, f->told.count, now);
}

static bool rests(const struct listener *one, int64_t now)
{
    return now < one->fed_ms + FEED_ACTIVE_MS;
}

static void send_slice(struct listeners *l, int64_t now)
{
    struct feed *f = &l->feed;
    size_t due = pace_due(&f->pace, now);
    while (due-- > 0 && feed_in_round(f) && !rests(f->told.first, now)) {
        struct listener *one = f->told.first;
        if (one->out.count == 0)
            tell(l, one, &feed_class_of(f, one)->news, now);
        else
            feed_step_out(one); /* feed_on_empty lets it in again */
    }
}

static bool may_greet(const struct feed *f)
{
    return f->fresh.first && (f->has_pictures || f->away);
}

static void greet(struct listeners *l, int64_t now)
{
    struct feed *f = &l->feed;
    f->fresh_ms = now + PACE_STEP_MS;
    for (size_t n = pace_slice(f->fresh.count); n > 0 && f->fresh.first; n--) {
        struct listener *one = f->fresh.first;
        tell(l, one, feed_hello(l, feed_class_of(f, one)), now);
    }
}

void feed_send(struct listeners *l, int64_t now)
{
    struct feed *f = &l->feed;
    if (feed_in_round(f))
        send_slice(l, now);
    if (may_greet(f) && now >= f->fresh_ms)
        greet(l, now);
}

int64_t feed_send_ms(const struct feed *f)
{
    int64_t at = INT64_MAX;
    if (feed_in_round(f)) {
        at = f->told.first->fed_ms + FEED_ACTIVE_MS;
        if (at < pace_next_ms(&f->pace))
            at = pace_next_ms(&f->pace);
    }
    return may_greet(f) && f->fresh_ms < at ? f->fresh_ms : at;
}
