#include "shared/config_table.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    bool named;
    bool has_default;
    size_t offset;  /* of the first one in struct config */
    size_t size;    /* of each; 0: there is one */
    size_t counter; /* where struct config says how many there are */
} kinds[CONFIG_KINDS] = {
    [CONFIG_KIND_REDIS] = {"redis", false, false, offsetof(struct config, redis), 0, 0},
    [CONFIG_KIND_SPOOL] = {"spool", false, false, offsetof(struct config, spool), 0, 0},
    [CONFIG_KIND_HTTP] = {"http", false, false, offsetof(struct config, http), 0, 0},
    [CONFIG_KIND_WORKER] = {"worker", false, false, offsetof(struct config, worker), 0,
                            0},
    [CONFIG_KIND_QUEUE] = {"queue", true, true, offsetof(struct config, queues),
                           sizeof(struct config_queue),
                           offsetof(struct config, queue_count)},
    [CONFIG_KIND_DESTINATION] = {"destination", true, true,
                                 offsetof(struct config, destinations),
                                 sizeof(struct config_destination),
                                 offsetof(struct config, destination_count)},
    [CONFIG_KIND_FETCH] = {"fetch", false, false, offsetof(struct config, fetch), 0, 0},
    [CONFIG_KIND_COMMAND] = {"command", true, false, offsetof(struct config, commands),
                             sizeof(struct config_command),
                             offsetof(struct config, command_count)},
    [CONFIG_KIND_SCHEDULE] = {"schedule", true, false,
                              offsetof(struct config, schedules),
                              sizeof(struct config_schedule),
                              offsetof(struct config, schedule_count)},
    [CONFIG_KIND_CONVERTER] = {"converter", true, false,
                               offsetof(struct config, converters),
                               sizeof(struct config_converter),
                               offsetof(struct config, converter_count)},
    [CONFIG_KIND_AUTH] = {"auth", true, false, offsetof(struct config, auths),
                          sizeof(struct config_auth),
                          offsetof(struct config, auth_count)},
    [CONFIG_KIND_WEBHOOK] = {"webhook", true, false, offsetof(struct config, webhooks),
                             sizeof(struct config_webhook),
                             offsetof(struct config, webhook_count)},
};
_Static_assert(offsetof(struct config_queue, name) == 0 &&
                   offsetof(struct config_destination, name) == 0 &&
                   offsetof(struct config_command, name) == 0 &&
                   offsetof(struct config_schedule, name) == 0 &&
                   offsetof(struct config_converter, name) == 0 &&
                   offsetof(struct config_auth, name) == 0 &&
                   offsetof(struct config_webhook, name) == 0,
               "a section with a name begins with it");

const char *config_kind_name(enum config_kind kind)
{
    return kinds[kind].name;
}

bool config_kind_is_named(enum config_kind kind)
{
    return kinds[kind].named;
}

bool config_kind_has_default(enum config_kind kind)
{
    return kinds[kind].has_default;
}

const struct config_setting *config_find_setting(enum config_kind kind, const char *key)
{
    for (size_t i = 0; i < config_setting_count; i++)
        if (config_settings[i].kind == kind && strcmp(config_settings[i].key, key) == 0)
            return &config_settings[i];
    return NULL;
}

size_t config_section_count(const struct config *c, enum config_kind kind)
{
    size_t count;

    if (!kinds[kind].named)
        return 1;
    memcpy(&count, (const char *)c + kinds[kind].counter, sizeof count);
    return count;
}

size_t *config_section_counter(struct config *c, enum config_kind kind)
{
    return (void *)((char *)c + kinds[kind].counter);
}

const char *config_section_name(const struct config *c, enum config_kind kind,
                                size_t index)
{
    return kinds[kind].named ? (const char *)c + config_section_offset(kind, index)
                             : "";
}

size_t config_section_offset(enum config_kind kind, size_t index)
{
    return kinds[kind].offset + index * kinds[kind].size;
}
