/*
 * index_page: the ids of a queue's jobs, some at a time, by cursor.  What lists jobs, runs all dead ones again and purges.
 *
 *     waiting    ready, then grouped, then behind        in the order they will run
 *     scheduled  later                                   by the time they are due
 *     running    leased                                  by the end of the lease
 *     dead       dead                                    oldest end first
 *     done, cancelled  done                              oldest end first; the caller tells them apart by their records
 *
 * With order=newest each of them from its other end: the latest end first, what will run last.
 *
 * A cursor is the last place that was given: "d.1700000000123.UUID" (index, score, member).  The next page begins behind
 * it, whether that job is still there or not, in O(log n): jobs that come or go meanwhile are given or left out, all
 * others are given once.  Clients hand it back as it is; it is untrusted.
 */
#ifndef HOIST_FCGI_INDEX_PAGE_H
#define HOIST_FCGI_INDEX_PAGE_H

#include "fcgi-app/http/exchange.h"
#include "shared/job.h"
#include "shared/queue.h"

#include <stdbool.h>

enum {
    INDEX_PAGE_MAX = QUEUE_BATCH_MAX,
    INDEX_MEMBER_MAX = 128,
    INDEX_CURSOR_MAX = 2 + 20 + 1 + INDEX_MEMBER_MAX
};

struct index_cursor {
    size_t index;  /* which one */
    bool at_start; /* before its first member; score and member say nothing then */
    int64_t score;
    char member[INDEX_MEMBER_MAX + 1];
};

bool index_cursor_parse(const char *s, size_t len, struct index_cursor *ret);
void index_cursor_format(const struct index_cursor *c,
                         char ret[static INDEX_CURSOR_MAX + 1]);
/* ,"cursor":"…" or ,"cursor":null */
void index_cursor_add(struct buf *b, const struct index_cursor *c, bool has_next);

struct index_query {
    const char *queue; /* one that is configured */
    const char *state; /* the word; NULL: all */
    bool has_after;
    struct index_cursor after;
    size_t limit; /* 1 .. INDEX_PAGE_MAX */
    bool newest;  /* each index from its other end */
};

/* `after`, `limit` and `order` of the request's query.  PROBLEM_BAD_VALUE. */
enum problem index_query_read(const struct exchange *x, struct index_query *ret,
                              struct err *e);

struct index_page {
    struct uuid ids[INDEX_PAGE_MAX];
    struct index_cursor at[INDEX_PAGE_MAX]; /* the cursor behind ids[i] */
    size_t count;
    bool has_next; /* there may be more, behind next */
    struct index_cursor next;
};

/* PROBLEM_BAD_VALUE: a state that no index has, or a cursor of another state's, or one that leads nowhere any more.
 * PROBLEM_UNAVAILABLE. */
enum problem index_page_read(struct exchange *x, const struct index_query *q,
                             struct index_page *ret, struct err *e);

#endif
