#include "fcgi-app/events/listeners_internal.h"

#include "fcgi-app/jobs/jobs.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <string.h>
#include <sys/epoll.h>

/* Out of all lists; the connection goes back to the gate. */
static void let_go(struct listeners *l, struct listener *one, enum gate_end end)
{
    if (one->gone)
        return;
    one->gone = true;
    listeners_unwatch(l, one);
    if (one->kind == LISTENER_FEED && one->joined)
        feed_leave(l, one);
    l->list[one->place] = l->list[--l->count];
    l->list[one->place]->place = one->place;
    one->next = l->gone;
    l->gone = one;
    /* Whoever has the connection next has its descriptor. */
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, gate_conn_fd(one->conn), NULL);
    gate_give_back(l->app->gate, one->conn, end);
    (void)pthread_mutex_lock(&l->lock);
    l->totals[one->kind]--;
    (void)pthread_mutex_unlock(&l->lock);
}

void listeners_drop(struct listeners *l, struct listener *one)
{
    let_go(l, one, GATE_CLOSE);
}

struct message *listeners_make(struct listeners *l, const struct listener *one,
                               const struct buf *text, bool is_end)
{
    buf_clear(&l->wire);
    if (text)
        fastcgi_later_add(&l->wire, one->later.id, text->data, text->len);
    if (is_end)
        fastcgi_later_add_end(&l->wire, one->later.id);
    return text && text->failed ? NULL : message_new(&l->wire);
}

static void want_out(struct listeners *l, struct listener *one, bool wanted)
{
    struct epoll_event event = {.events =
                                    EPOLLIN | EPOLLRDHUP | (wanted ? EPOLLOUT : 0)};
    event.data.ptr = one;
    if (one->wants_out == wanted)
        return;
    one->wants_out = wanted;
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, gate_conn_fd(one->conn), &event) < 0)
        listeners_drop(l, one);
}

void listeners_flush(struct listeners *l, struct listener *one)
{
    size_t sent = 0;
    if (one->gone)
        return;
    enum outbox_state state = outbox_flush(&one->out, gate_conn_fd(one->conn), &sent);
    if (sent > 0 || state == OUTBOX_EMPTY)
        one->moved_ms = clock_mono_ms();
    if (state == OUTBOX_BROKEN)
        listeners_drop(l, one);
    else if (state == OUTBOX_EMPTY && one->ending)
        let_go(l, one, one->later.keep ? GATE_KEEP : GATE_CLOSE);
    else
        want_out(l, one, state == OUTBOX_WAITS);
    if (state == OUTBOX_EMPTY && one->kind == LISTENER_FEED)
        feed_on_empty(l, one);
}

void listeners_send(struct listeners *l, struct listener *one, struct message *m)
{
    if (one->gone || one->ending)
        return;
    if (!m || !outbox_add(&one->out, m)) {
        log_debug("events", "a listener is too slow");
        listeners_drop(l, one);
        return;
    }
    one->heard_ms = clock_mono_ms();
    listeners_flush(l, one);
}

void listeners_end(struct listeners *l, struct listener *one)
{
    if (one->gone || one->ending)
        return;
    struct message *m = listeners_make(l, one, NULL, true);
    if (!m || !outbox_add(&one->out, m)) {
        listeners_drop(l, one);
    } else {
        one->ending = true;
        listeners_flush(l, one);
    }
    message_drop(m);
}

void listeners_answer(struct listeners *l, struct listener *one)
{
    struct response *r = &l->response;
    const struct job *job = one->watch ? &one->watch->job : &one->job;
    if (one->gone || one->ending)
        return;
    r->cors_origin = one->cors_origin;
    r->if_none_match = one->if_none_match;
    r->preference = one->preference;
    memcpy(r->request_id, one->request_id, strlen(one->request_id) + 1);
    if (one->is_new)
        jobs_answer_new(r, job);
    else
        jobs_answer(r, 200, job);
    response_finish(r, false);
    buf_clear(&l->text);
    buf_add(&l->text, r->head.data, r->head.len);
    buf_add(&l->text, r->body.data, r->body.len);
    struct message *m = listeners_make(l, one, &l->text, true);
    if (m && outbox_add(&one->out, m)) {
        one->ending = true;
        one->moved_ms = clock_mono_ms();
        listeners_flush(l, one);
    } else {
        listeners_drop(l, one);
    }
    message_drop(m);
}

void listeners_on_input(struct listeners *l, struct listener *one)
{
    switch (fastcgi_later_look(&one->later, gate_conn_fd(one->conn))) {
    case FASTCGI_NO_NEWS:
        return;
    case FASTCGI_ABORTED:
        if (one->out.count > 0) /* a record may be half sent */
            break;
        one->later.keep = false;
        listeners_end(l, one);
        return;
    case FASTCGI_LEFT:
        break;
    }
    listeners_drop(l, one);
}
