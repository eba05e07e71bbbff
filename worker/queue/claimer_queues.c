#include "worker/queue/claimer.h"

#include <string.h>

/* The queues of a list, each with its weight. */
static enum err_code read_list(const struct config *config,
                               struct claimer_entry *entries, size_t *count,
                               struct err *e)
{
    const char *list = config->worker.queues;
    struct config_entry entry;

    while (config_next_entry(&list, &entry)) {
        const struct config_queue *q = config_find_queue(config, entry.name, entry.len);
        if (!q || entry.weight < 0)
            return err_set(e, ERR_CONFIG, "[worker] queues: no queue or weight: %.*s",
                           (int)(entry.len < ID_QUEUE_MAX ? entry.len : ID_QUEUE_MAX),
                           entry.name);
        for (size_t i = 0; i < *count; i++)
            if (entries[i].queue == q)
                return err_set(e, ERR_CONFIG, "[worker] queues: '%s' is there twice",
                               q->name);
        entries[(*count)++] = (struct claimer_entry){q, (unsigned)entry.weight};
    }
    return ERR_OK;
}

enum err_code claimer_queues(const struct config *config,
                             struct claimer_entry *ret_entries, size_t *ret_count,
                             struct err *e)
{
    struct claimer_entry entries[CONFIG_QUEUES_MAX];
    size_t count = 0;
    bool weighted = false;

    if (claimer_takes_all(config)) {
        for (; count < config->queue_count; count++)
            entries[count] = (struct claimer_entry){&config->queues[count], 0};
    } else if (read_list(config, entries, &count, e) != ERR_OK) {
        return e->code;
    }
    if (count == 0)
        return err_set(e, ERR_CONFIG, "[worker] queues: names no queue");
    for (size_t i = 0; i < count; i++)
        weighted = weighted || entries[i].weight > 0;
    for (size_t i = 0; weighted && i < count; i++)
        if (entries[i].weight == 0)
            entries[i].weight = 1;
    memcpy(ret_entries, entries, count * sizeof *entries);
    *ret_count = count;
    return ERR_OK;
}

bool claimer_takes_all(const struct config *config)
{
    return strcmp(config->worker.queues, "*") == 0;
}
