#include "worker/dest/destinations.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/log.h"
#include "shared/to_list.h"
#include "worker/dest/dest_command.h"
#include "worker/dest/dest_file.h"
#include "worker/dest/dest_http.h"
#include "worker/dest/dest_many.h"
#include "worker/s3/dest_s3.h"
#include "worker/dest/dest_whole.h"
#include "worker/hooks/dest_hook.h"
#include "worker/http/http.h"
#include "worker/flow/membudget.h"
#include "worker/source/source_command.h"
#include "worker/convert/source_convert.h"
#include "worker/source/source_url.h"

struct destinations {
    struct http *http;       /* shared by all that need it */
    struct membudget budget; /* and this */
    struct flows *flows;
    struct destination *items[CONFIG_DESTINATIONS_MAX];
    size_t count;
    struct destination *commands;   /* see source_command.h */
    struct destination *urls;       /* see source_url.h */
    struct destination *many;       /* see dest_many.h */
    struct destination *converters; /* see source_convert.h */
    struct destination *hooks;      /* see dest_hook.h */
};

static enum err_code open_one(const struct worker_env *env, struct destinations *d,
                              const struct config_destination *config,
                              struct destination **ret, struct err *e)
{
    switch (config->scheme) {
    case CONFIG_FILE:
        return dest_file_open(
            &(struct dest_file_options){
                .loop = env->loop, .config = config, .only_looks = env->only_looks},
            ret, e);
    case CONFIG_S3:
        return dest_s3_open(&(struct dest_s3_options){.loop = env->loop,
                                                      .http = d->http,
                                                      .spool = env->spool,
                                                      .config = config,
                                                      .flows = d->flows,
                                                      .budget = &d->budget,
                                                      .env = environ},
                            ret, e);
    case CONFIG_HTTP:
        return dest_http_open(&(struct dest_http_options){.loop = env->loop,
                                                          .http = d->http,
                                                          .config = config,
                                                          .flows = d->flows},
                              ret, e);
    case CONFIG_COMMAND:
        return dest_command_open(env, config, ret, e);
    }
    return err_set(e, ERR_CONFIG, "a scheme this version does not know");
}

/* Some want to know their bytes before they begin. */
static enum err_code open_whole(const struct worker_env *env, struct destination **at,
                                struct err *e)
{
    return dest_whole_open(env->loop, env->spool, *at, at, e);
}

/* Open them all.  What only an operator can mend is logged. */
static enum err_code open_all(const struct worker_env *env, struct destinations *d,
                              struct err *e)
{
    const struct config *config = env->config;

    for (size_t i = 0; i < config->destination_count; i++) {
        const struct config_destination *one = &config->destinations[i];
        enum err_code code = open_one(env, d, one, &d->items[d->count], e);
        if (code == ERR_CONFIG)
            log_warn("destinations", "cannot be used yet", LOG_STR("name", one->name),
                     LOG_ERR(e));
        else if (code != ERR_OK)
            return code;
        if (d->items[d->count])
            d->count++;
        bool wants_whole = one->scheme == CONFIG_HTTP || one->scheme == CONFIG_COMMAND;
        if (wants_whole && open_whole(env, &d->items[d->count - 1], e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}

enum err_code destinations_open(const struct worker_env *env, struct destinations **ret,
                                struct err *e)
{
    struct destinations *d = calloc(1, sizeof *d);

    if (!d)
        return err_set(e, ERR_NOMEM, "no memory for destinations");
    if (http_open(env->loop, &d->http, e) != ERR_OK ||
        flows_open(env->loop, &d->flows, e) != ERR_OK) {
        destinations_close(d);
        return e->code;
    }
    membudget_init(&d->budget, env->config->worker.memory);
    http_limit(d->http, env->config->worker.bandwidth);
    if (open_all(env, d, e) != ERR_OK ||
        source_command_open(env, d, &d->commands, e) != ERR_OK ||
        source_convert_open(env, d, &d->converters, e) != ERR_OK ||
        source_url_open(env, d, d->http, &d->urls, e) != ERR_OK ||
        dest_hook_open(env, d->http, &d->hooks, e) != ERR_OK ||
        dest_many_open(env->loop, d, &d->many, e) != ERR_OK ||
        open_whole(env, &d->many, e) != ERR_OK) {
        destinations_close(d);
        return e->code;
    }
    *ret = d;
    return ERR_OK;
}

void destinations_close(struct destinations *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->count; i++)
        destination_release(d->items[i]);
    destination_release(d->commands);
    destination_release(d->converters);
    destination_release(d->urls);
    destination_release(d->hooks);
    destination_release(d->many);
    flows_close(d->flows);
    http_close(d->http);
    free(d);
}

/* Several: all of them are there. */
static struct destination *find_many(const struct destinations *d, const char *names)
{
    struct to_list list;
    struct err e = ERR_INIT;

    if (to_list_parse(names, strlen(names), &list, &e) != ERR_OK)
        return NULL;
    for (size_t i = 0; i < list.count; i++)
        if (!destinations_find(d, list.names[i]))
            return NULL;
    return d->many;
}

struct destination *destinations_find(const struct destinations *d, const char *name)
{
    if (name && strchr(name, ','))
        return find_many(d, name);
    for (size_t i = 0; name && i < d->count; i++)
        if (strcmp(d->items[i]->config->name, name) == 0)
            return d->items[i];
    return NULL;
}

struct flow *destinations_flow(const struct destinations *d, const char *name)
{
    const struct destination *to = destinations_find(d, name);

    return to ? to->flow : NULL;
}

struct flows *destinations_flows(const struct destinations *d)
{
    return d->flows;
}

struct destination *destinations_sink(const struct destinations *d,
                                      const struct job *job)
{
    if (job_is_hook(job))
        return d->hooks;
    struct destination *to = destinations_find(d, job->to);

    return to && job->convert ? d->converters : to;
}

struct destination *destinations_route(const struct destinations *d,
                                       const struct job *job)
{
    if (job_is_hook(job))
        return d->hooks;
    struct destination *to = destinations_sink(d, job);

    if (to && job_source_command(job))
        return d->commands;
    return to && job_source_url(job) ? d->urls : to;
}
