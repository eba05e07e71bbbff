#include "shared/redis_internal.h"

#include "shared/clock.h"

enum err_code redis_ask(struct redis *r, const struct redis_cmd *c, struct err *e)
{
    enum err_code rc = redis_connect_if_needed(r, e);
    if (rc == ERR_OK)
        rc = redis_link_queue(&r->link, c, e);
    if (rc == ERR_OK)
        rc = redis_link_write(&r->link, e);
    if (rc == ERR_OK && redis_link_has_out(&r->link))
        rc = err_set(e, ERR_RETRY, "redis: the server does not take a question");
    if (rc != ERR_OK)
        redis_link_close(&r->link);
    return rc;
}

enum err_code redis_answer(struct redis *r, struct redis_value **ret_reply,
                           struct err *e)
{
    struct redis_value *reply = NULL;
    enum err_code rc = redis_link_read(&r->link, e);
    if (rc == ERR_OK)
        rc = redis_link_next(&r->link, &reply, e);
    if (rc != ERR_OK) {
        redis_link_close(&r->link);
        return rc;
    }
    if (redis_value_is_closing(reply))
        redis_link_close(&r->link);
    rc = redis_value_error(reply, e);
    if (rc != ERR_OK)
        redis_reply_free(reply);
    else
        *ret_reply = reply;
    if (rc == ERR_OK && reply)
        r->last_ok_ms = clock_mono_ms();
    return rc;
}

int redis_fd(const struct redis *r)
{
    return r->link.fd;
}

void redis_disconnect(struct redis *r)
{
    redis_link_close(&r->link);
}
