#include "shared/config.h"
#include "shared/spool.h"

enum err_code spool_open_config(const struct config *c, struct spool **ret_spool,
                                struct err *e)
{
    struct spool_options options = {.dir = c->spool.dir,
                                    .durable = c->spool.durability == CONFIG_DISK,
                                    .own_filesystem = c->spool.own_filesystem,
                                    .small_bytes = (size_t)c->spool.small_bytes};

    enum err_code code = spool_open(&options, ret_spool, e);
    return code == ERR_CONFIG ? config_blame_spool(c, e) : code;
}
