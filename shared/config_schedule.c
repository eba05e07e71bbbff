/* What is wrong with commands and schedules, and what they are when nothing is. */
#include "shared/config_load.h"

#include "shared/cleanup.h"
#include "shared/config_value.h"
#include "shared/job.h"
#include "shared/stamp.h"
#include "shared/words.h"

#include <string.h>

/* 2024-01-01T00:00:00Z.  Whether a line is ever due must not depend on when it is read; this year has a 29 February. */
#define FIRST_MS INT64_C(1704067200000)
enum { TICKS = 32 /* that must have different keys */ };

enum err_code config_check_program(const struct config_load *l,
                                   struct config_where where, const char *run,
                                   const char *type, struct err *e)
{
    CLEANUP(job_release) struct job j = JOB_INIT; /* it knows media types */
    struct words words = {.count = 0};

    if (words_split(run, &words, e))
        return config_blame(l, where, "run", e);
    words_release(&words);
    if (*type && job_set_type(&j, type, strlen(type), e)) {
        if (e->code != ERR_NOMEM)
            err_set(e, ERR_CONFIG, "'%.60s' is not TYPE/SUBTYPE", type);
        return config_blame(l, where, "type", e);
    }
    return ERR_OK;
}

static enum err_code check_command(const struct config_load *l, size_t index,
                                   struct err *e)
{
    const struct config_command *c = &l->config.commands[index];

    return config_check_program(l, (struct config_where){CONFIG_KIND_COMMAND, index},
                                c->run, c->type, e);
}

/* A key for its jobs: of its own, or one that its destination can make. */
static enum err_code check_key_source(const struct config_load *l,
                                      struct config_where where, struct err *e)
{
    const struct config_schedule *s = &l->config.schedules[where.index];
    const struct config_destination *to =
        config_find_destination(&l->config, s->to, strcspn(s->to, ","));

    if (*s->key || !strstr(to->key, "{meta."))
        return ERR_OK;
    err_set(e, ERR_CONFIG,
            "is needed: the keys of [destination %.32s] are made with metadata",
            to->name);
    return config_blame(l, where, "key", e);
}

/* Queue, destination, priority, source: all must be there. */
static enum err_code check_names(struct config_load *l, struct config_where where,
                                 struct err *e)
{
    static const char command[] = "command:";
    struct config_schedule *s = &l->config.schedules[where.index];
    const struct config_setting *to = config_find_setting(where.kind, "to");
    const struct config_setting *priority = config_find_setting(where.kind, "priority");
    const struct config_queue *q =
        config_find_queue(&l->config, s->queue, strlen(s->queue));

    if (!q) {
        err_set(e, ERR_CONFIG, "there is no [queue %.60s]", s->queue);
        return config_blame(l, where, "queue", e);
    }
    if (!*s->to && config_value_set(to, q->to, s, e))
        return e->code;
    if (config_check_to(l, where, e))
        return e->code;
    if (config_load_origin(l, where, priority) == CONFIG_FROM_DEFAULT)
        s->priority = q->priority;
    if (strncmp(s->source, command, sizeof command - 1) != 0) {
        err_set(e, ERR_CONFIG, "'%.60s' is not command:NAME", s->source);
        return config_blame(l, where, "source", e);
    }
    s->command = s->source + sizeof command - 1;
    if (!config_find_command(&l->config, s->command, strlen(s->command))) {
        err_set(e, ERR_CONFIG, "there is no [command %.60s]", s->command);
        return config_blame(l, where, "source", e);
    }
    return check_key_source(l, where, e);
}

/* The line as a plan; e says what is wrong with it without the module's name. */
static enum err_code parse_line(const char *line, struct cron *ret_plan, struct err *e)
{
    static const char module[] = "cron: ";
    struct err why = ERR_INIT;

    if (cron_parse(line, strlen(line), ret_plan, &why) == ERR_OK)
        return ERR_OK;
    size_t skip =
        strncmp(why.text, module, sizeof module - 1) == 0 ? sizeof module - 1 : 0;
    return err_set(e, why.code, "%s", why.text + skip);
}

static enum err_code check_when(struct config_load *l, struct config_where where,
                                struct err *e)
{
    struct config_schedule *s = &l->config.schedules[where.index];

    if (*s->cron && s->every_ms != 0) {
        err_set(e, ERR_CONFIG, "cron is set, too: one of the two is allowed");
        return config_blame(l, where, "every", e);
    }
    if (s->every_ms == 0 && !*s->cron) {
        err_set(e, ERR_CONFIG, "is needed, or every");
        return config_blame(l, where, "cron", e);
    }
    if (*s->cron)
        return parse_line(s->cron, &s->plan, e) ? config_blame(l, where, "cron", e)
                                                : ERR_OK;
    if (s->every_ms < CRON_EVERY_MIN_MS) {
        err_set(e, ERR_CONFIG, "is less than 1s");
        return config_blame(l, where, "every", e);
    }
    s->plan = cron_every(s->every_ms);
    return ERR_OK;
}

/* What a template gives at a tick, checked as what it is for. */
static enum err_code expand(const struct config_schedule *s, const char *template,
                            int64_t tick_ms, struct buf *ret, struct err *e)
{
    struct stamp stamp = {.ms = tick_ms};

    buf_clear(ret);
    if (id_of_tick(s->name, tick_ms, &stamp.id, e) ||
        stamp_expand(template, &stamp, ret, e))
        return e->code;
    return ERR_OK;
}

/* Each tick has a key of its own: an object is never replaced. */
static enum err_code check_key(const struct config_schedule *s, const struct tz *tz,
                               int64_t tick_ms, struct err *e)
{
    CLEANUP(buf_release) struct buf key = BUF_INIT(2 * CONFIG_TEXT_MAX);
    CLEANUP(buf_release) struct buf last = BUF_INIT(2 * CONFIG_TEXT_MAX);

    if (!strstr(s->key, "{id}") && !strstr(s->key, "{yyyy}"))
        return err_set(e, ERR_CONFIG,
                       "has neither {id} nor {yyyy}: each run needs a key of its own");
    for (int i = 0; i < TICKS; i++) {
        if (expand(s, s->key, tick_ms, &key, e))
            return e->code;
        if (!job_key_is_safe(key.data, key.len))
            return err_set(e, ERR_CONFIG, "'%.80s' is not allowed as a key", key.data);
        if (strcmp(key.data, last.data) == 0)
            return err_set(e, ERR_CONFIG,
                           "two runs in a row would have the key '%.80s': more of "
                           "{id} {yyyy} {mm} {dd} {hh} {mi} {ss} is needed",
                           key.data);
        buf_clear(&last);
        if (!buf_add(&last, key.data, key.len))
            return err_set(e, ERR_NOMEM, "out of memory");
        if (!cron_next(&s->plan, tz, tick_ms, &tick_ms))
            return ERR_OK;
    }
    return ERR_OK;
}

static enum err_code check_ticks(struct config_load *l, struct config_where where,
                                 const struct tz *tz, struct err *e)
{
    const struct config_schedule *s = &l->config.schedules[where.index];
    CLEANUP(buf_release) struct buf name = BUF_INIT(2 * CONFIG_TEXT_MAX);
    int64_t tick_ms;

    if (!cron_next(&s->plan, tz, FIRST_MS, &tick_ms)) {
        err_set(e, ERR_CONFIG, "'%.60s' never comes due", s->cron);
        return config_blame(l, where, "cron", e);
    }
    if (expand(s, s->object_name, tick_ms, &name, e))
        return config_blame(l, where, "name", e);
    if (*s->key && check_key(s, tz, tick_ms, e))
        return config_blame(l, where, "key", e);
    return ERR_OK;
}

static enum err_code check_schedule(struct config_load *l, size_t index, struct err *e)
{
    struct config_where where = {CONFIG_KIND_SCHEDULE, index};
    struct tz tz = TZ_UTC;

    if (check_names(l, where, e) || check_when(l, where, e))
        return e->code;
    if (tz_load(l->config.schedules[index].time_zone, &tz, e))
        return config_blame(l, where, "time_zone", e);
    enum err_code code = check_ticks(l, where, &tz, e);
    tz_release(&tz);
    return code;
}

enum err_code config_check_schedules(struct config_load *l, struct err *e)
{
    for (size_t i = 0; i < l->config.command_count; i++)
        if (check_command(l, i, e))
            return e->code;
    for (size_t i = 0; i < l->config.schedule_count; i++)
        if (check_schedule(l, i, e))
            return e->code;
    return ERR_OK;
}
