#include "worker/claimer.h"

#include <string.h>

static enum err_code add_queue(const struct config_queue *q,
                               const struct config_queue **queues, size_t *count,
                               struct err *e)
{
    for (size_t i = 0; i < *count; i++)
        if (queues[i] == q)
            return err_set(e, ERR_CONFIG, "[worker] queues: '%s' is there twice",
                           q->name);
    queues[(*count)++] = q;
    return ERR_OK;
}

enum err_code claimer_queues(const struct config *config,
                             const struct config_queue **ret_queues, size_t *ret_count,
                             struct err *e)
{
    const struct config_queue *queues[CONFIG_QUEUES_MAX];
    const char *list = config->worker.queues;
    size_t count = 0;

    if (strcmp(list, "*") == 0) {
        for (; count < config->queue_count; count++)
            queues[count] = &config->queues[count];
        list = "";
    }
    while (*list) {
        list += strspn(list, ", \t");
        size_t len = strcspn(list, ", \t");
        if (len == 0)
            break;
        const struct config_queue *q = config_find_queue(config, list, len);
        if (!q)
            return err_set(e, ERR_CONFIG, "[worker] queues: there is no [queue %.*s]",
                           (int)(len < ID_QUEUE_MAX ? len : ID_QUEUE_MAX), list);
        if (add_queue(q, queues, &count, e) != ERR_OK)
            return e->code;
        list += len;
    }
    if (count == 0)
        return err_set(e, ERR_CONFIG, "[worker] queues: names no queue");
    memcpy(ret_queues, queues, count * sizeof *queues);
    *ret_count = count;
    return ERR_OK;
}
