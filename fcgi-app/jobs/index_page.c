#include "fcgi-app/jobs/index_page.h"

#include "fcgi-app/jobs/job_store.h"
#include "fcgi-app/upload/options_ties.h"
#include "shared/cleanup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIES_BACK = 100 /* so many may leave between two looks at a place */ };

/* In the order they are walked through. */
static const struct {
    char letter; /* in cursors */
    const char *key;
    bool by_text; /* members of score 0, in the order of their texts */
    const char *states[2];
} indexes[] = {
    {'r', "ready", false, {"waiting"}},          {'g', "grouped", true, {"waiting"}},
    {'b', "behind", true, {"waiting"}},          {'l', "later", false, {"scheduled"}},
    {'e', "leased", false, {"running"}},         {'d', "dead", false, {"dead"}},
    {'o', "done", false, {"done", "cancelled"}},
};
enum { INDEXES = sizeof indexes / sizeof indexes[0] };

static bool has_state(size_t index, const char *state)
{
    if (!state)
        return true;
    for (size_t i = 0; i < 2; i++)
        if (indexes[index].states[i] && strcmp(indexes[index].states[i], state) == 0)
            return true;
    return false;
}

/* The first index from `from` on that has the state; INDEXES: none. */
static size_t next_index(size_t from, const char *state)
{
    while (from < INDEXES && !has_state(from, state))
        from++;
    return from;
}

/* --- Cursors --- */

static bool is_member(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\')
            return false;
    return len > 0 && len <= INDEX_MEMBER_MAX;
}

bool index_cursor_parse(const char *s, size_t len, struct index_cursor *ret)
{
    struct index_cursor c = {.at_start = len == 2};
    while (c.index < INDEXES && (len < 2 || indexes[c.index].letter != s[0]))
        c.index++;
    if (c.index == INDEXES || s[1] != '.')
        return false;
    s += 2;
    len -= 2;
    if (!c.at_start && !indexes[c.index].by_text) {
        const char *dot = memchr(s, '.', len);
        struct request_text digits = {s, dot ? (size_t)(dot - s) : 0};
        if (digits.len == 0 || digits.len > 15 || strspn(s, "0123456789") != digits.len)
            return false;
        c.score = strtoll(s, NULL, 10);
        len -= digits.len + 1;
        s = dot + 1;
    }
    if (!c.at_start && !is_member(s, len))
        return false;
    memcpy(c.member, s, len);
    *ret = c;
    return true;
}

void index_cursor_format(const struct index_cursor *c,
                         char ret[static INDEX_CURSOR_MAX + 1])
{
    char letter = indexes[c->index].letter;
    size_t size = INDEX_CURSOR_MAX + 1;
    if (c->at_start)
        (void)snprintf(ret, size, "%c.", letter);
    else if (indexes[c->index].by_text)
        (void)snprintf(ret, size, "%c.%s", letter, c->member);
    else
        (void)snprintf(ret, size, "%c.%" PRId64 ".%s", letter, c->score, c->member);
}

void index_cursor_add(struct buf *b, const struct index_cursor *c, bool has_next)
{
    char text[INDEX_CURSOR_MAX + 1];
    if (has_next)
        index_cursor_format(c, text);
    buf_puts_all(b, (const char *const[]){",\"cursor\":", has_next ? "\"" : "null",
                                          has_next ? text : "", has_next ? "\"" : "",
                                          NULL});
}

enum problem index_query_read(const struct exchange *x, struct index_query *ret,
                              struct err *e)
{
    const struct request_text *limit = request_query(&x->request, "limit");
    const struct request_text *after = request_query(&x->request, "after");
    const struct request_text *order = request_query(&x->request, "order");
    int64_t n = INDEX_PAGE_MAX;
    if (limit && (!options_parse_number(limit, INDEX_PAGE_MAX, &n) || n == 0))
        return problem_set(e, PROBLEM_BAD_VALUE, "limit: 1 to %d is allowed",
                           INDEX_PAGE_MAX);
    if (order && strcmp(order->s, "newest") != 0 && strcmp(order->s, "oldest") != 0)
        return problem_set(e, PROBLEM_BAD_VALUE, "order: oldest or newest is allowed");
    ret->limit = (size_t)n;
    ret->newest = order && *order->s == 'n';
    ret->has_after = after != NULL;
    if (after && !index_cursor_parse(after->s, after->len, &ret->after))
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "after: a cursor is wanted, as an answer gave it");
    return PROBLEM_NONE;
}

/* --- One index --- */

struct walk {
    struct exchange *x;
    const struct index_query *query;
    struct index_cursor at; /* go on behind this */
    struct index_page *page;
    bool more; /* the index may have more */
};

static size_t room(const struct walk *w)
{
    return w->query->limit - w->page->count;
}

static bool is_behind(const struct walk *w, int64_t score, const char *member)
{
    if (w->at.at_start || indexes[w->at.index].by_text)
        return true; /* Redis has seen to it */
    int further = w->query->newest ? -1 : 1;
    int64_t by = score != w->at.score ? (score > w->at.score ? 1 : -1)
                                      : strcmp(member, w->at.member);
    return by * further > 0;
}

/* Note one member, and go on behind it.  The id is its last 36 characters; what has none was put there by hand. */
static void step(struct walk *w, int64_t score, const char *member, size_t len)
{
    struct index_page *page = w->page;
    w->at.at_start = false;
    w->at.score = score;
    if (is_member(member, len))
        memcpy(w->at.member, member, len + 1);
    else
        memcpy(w->at.member, w->query->newest ? "!" : "~",
               sizeof "~"); /* behind every id of this score */
    if (len < ID_UUID_LEN || !id_is_uuid(member + len - ID_UUID_LEN, ID_UUID_LEN))
        return;
    memcpy(page->ids[page->count].text, member + len - ID_UUID_LEN, ID_UUID_LEN + 1);
    page->at[page->count++] = w->at;
}

/* member, score, member, score ...; or members alone.  Returns how many were new. */
static size_t take(struct walk *w, const struct redis_value *reply)
{
    size_t width = indexes[w->at.index].by_text ? 1 : 2, taken = 0;
    for (size_t i = 0; i + width <= redis_value_len(reply) && room(w) > 0; i += width) {
        size_t len;
        const char *member = redis_value_str(redis_value_at(reply, i), &len);
        int64_t score = width == 2 ? redis_value_int(redis_value_at(reply, i + 1)) : 0;
        if (!is_behind(w, score, member))
            continue;
        step(w, score, member, len);
        taken++;
    }
    return taken;
}

/* [by_text][newest first]: the command, and where it begins and ends. */
static const struct {
    const char *command, *first, *last;
} ranges[2][2] = {
    {{"ZRANGEBYSCORE", "-inf", "+inf"}, {"ZREVRANGEBYSCORE", "+inf", "-inf"}},
    {{"ZRANGEBYLEX", "-", "+"}, {"ZREVRANGEBYLEX", "+", "-"}},
};

static void add_range(struct redis_cmd *c, const struct walk *w, size_t n)
{
    bool by_text = indexes[w->at.index].by_text, newest = w->query->newest;
    redis_cmd_begin(c, ranges[by_text][newest].command);
    queue_add_key(c, w->query->queue, indexes[w->at.index].key);
    if (w->at.at_start)
        redis_cmd_add_str(c, ranges[by_text][newest].first);
    else if (by_text)
        redis_cmd_add_format(c, "(%s", w->at.member);
    else
        redis_cmd_add_int(c, w->at.score);
    redis_cmd_add_str(c, ranges[by_text][newest].last);
    if (!by_text)
        redis_cmd_add_str(c, "WITHSCORES");
    redis_cmd_add_str(c, "LIMIT");
    redis_cmd_add_int(c, 0);
    redis_cmd_add_int(c, (int64_t)n);
}

DEFINE_CLEANUP(struct redis_value *, reply_cleanup, redis_reply_free)

static enum problem ask(struct walk *w, const struct redis_cmd *c,
                        struct redis_value **ret, struct err *e)
{
    enum problem p = job_store_ask(w->x, c, 1, ret, e);
    if (p || redis_value_error(*ret, e) == ERR_OK)
        return p;
    return e->code == ERR_RETRY ? PROBLEM_UNAVAILABLE : PROBLEM_INTERNAL;
}

/* Very many members have the cursor's score, more than one range shows: go on by rank. */
static enum problem go_on_by_rank(struct walk *w, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    CLEANUP(reply_cleanup) struct redis_value *rank = NULL;
    CLEANUP(reply_cleanup) struct redis_value *reply = NULL;
    redis_cmd_init(&c);
    redis_cmd_begin(&c, w->query->newest ? "ZREVRANK" : "ZRANK");
    queue_add_key(&c, w->query->queue, indexes[w->at.index].key);
    redis_cmd_add_str(&c, w->at.member);
    enum problem p = ask(w, &c, &rank, e);
    if (p)
        return p;
    if (redis_value_type(rank) != REDIS_INTEGER && w->page->count > 0)
        return PROBLEM_NONE; /* it has just left: a short page */
    if (redis_value_type(rank) != REDIS_INTEGER)
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "after: its job is gone, among many of the same time; begin "
                           "anew");
    int64_t place = redis_value_int(rank);
    int64_t first = place > TIES_BACK ? place - TIES_BACK : 0;
    int64_t last = place + (int64_t)room(w) + 1;
    redis_cmd_clear(&c);
    redis_cmd_begin(&c, w->query->newest ? "ZREVRANGE" : "ZRANGE");
    queue_add_key(&c, w->query->queue, indexes[w->at.index].key);
    redis_cmd_add_int(&c, first);
    redis_cmd_add_int(&c, last);
    redis_cmd_add_str(&c, "WITHSCORES");
    p = ask(w, &c, &reply, e);
    if (p)
        return p;
    (void)take(w, reply);
    w->more = (int64_t)redis_value_len(reply) == 2 * (last - first + 1);
    return PROBLEM_NONE;
}

static enum problem walk_index(struct walk *w, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    CLEANUP(reply_cleanup) struct redis_value *reply = NULL;
    bool by_text = indexes[w->at.index].by_text, at_start = w->at.at_start;
    size_t n = room(w) + 1; /* the cursor itself may be there */
    redis_cmd_init(&c);
    add_range(&c, w, n);
    enum problem p = ask(w, &c, &reply, e);
    if (p)
        return p;
    w->more = redis_value_len(reply) == (by_text ? n : 2 * n);
    bool all_new = take(w, reply) + 1 >= n;
    return w->more && !all_new && !at_start && !by_text ? go_on_by_rank(w, e) : p;
}

enum problem index_page_read(struct exchange *x, const struct index_query *q,
                             struct index_page *ret, struct err *e)
{
    struct walk w = {.x = x, .query = q, .at = {.at_start = true}, .page = ret};
    ret->count = 0;
    w.at.index = next_index(0, q->state);
    if (w.at.index == INDEXES)
        return problem_set(
            e, PROBLEM_BAD_VALUE,
            "state: waiting, scheduled, running, dead, done or cancelled "
            "is allowed");
    if (q->has_after && !has_state(q->after.index, q->state))
        return problem_set(e, PROBLEM_BAD_VALUE, "after: a cursor of another state");
    if (q->has_after)
        w.at = q->after;
    while (w.at.index < INDEXES && room(&w) > 0) {
        enum problem p = walk_index(&w, e);
        if (p)
            return p;
        if (w.more)
            break;
        w.at = (struct index_cursor){.index = next_index(w.at.index + 1, q->state),
                                     .at_start = true};
    }
    ret->has_next = w.at.index < INDEXES;
    ret->next = w.at;
    return PROBLEM_NONE;
}
