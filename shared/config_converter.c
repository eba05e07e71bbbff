/* What is wrong with converters, and with what names them. */
#include "shared/config_load.h"

#include "shared/cleanup.h"
#include "shared/convert.h"

#include <string.h>

static enum err_code check_converter(const struct config_load *l, size_t index,
                                     struct err *e)
{
    struct config_where where = {CONFIG_KIND_CONVERTER, index};
    const struct config_converter *c = &l->config.converters[index];

    if (config_check_program(l, where, c->run, c->type, e))
        return e->code;
    if (*c->extension && !convert_is_extension(c->extension)) {
        err_set(e, ERR_CONFIG, "'%.60s' is not .png or the like: up to %d of a-z 0-9",
                c->extension, CONVERT_EXTENSION_MAX - 1);
        return config_blame(l, where, "extension", e);
    }
    return ERR_OK;
}

static enum err_code check_queue(const struct config_load *l, size_t index,
                                 struct err *e)
{
    const char *list = l->config.queues[index].convert;
    struct convert convert;

    if (convert_find(&l->config, list, strlen(list), &convert, e) == ERR_OK)
        return ERR_OK;
    e->code = ERR_CONFIG;
    return config_blame(l, (struct config_where){CONFIG_KIND_QUEUE, index}, "convert",
                        e);
}

enum err_code config_check_converters(const struct config_load *l, struct err *e)
{
    for (size_t i = 0; i < l->config.converter_count; i++)
        if (check_converter(l, i, e))
            return e->code;
    for (size_t i = 0; i < l->config.queue_count; i++)
        if (check_queue(l, i, e))
            return e->code;
    return ERR_OK;
}
