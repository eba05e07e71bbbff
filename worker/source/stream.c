#include "worker/source/stream.h"

enum stream_state stream_read(struct stream *s, void *data, size_t room,
                              size_t *ret_len)
{
    return s->ops->read(s, data, room, ret_len);
}

void stream_failure(struct stream *s, struct outcome *ret)
{
    s->ops->failure(s, ret);
}

void stream_stop(struct stream *s)
{
    s->ops->stop(s);
}
