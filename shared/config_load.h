/*
 * config_load: a configuration on its way from text to struct config.  Private to config*.c.
 *
 *     text -- config_file_parse --> settings + origins -- environment, defaults --> config_check --> struct config
 *
 * The origin of every value is kept until the checks are over, so that an error names the line that is to be changed.
 */
#ifndef HOIST_SHARED_CONFIG_LOAD_H
#define HOIST_SHARED_CONFIG_LOAD_H

#include "shared/config_table.h"

#include <sys/types.h>

enum {
    CONFIG_FROM_DEFAULT = 0,
    CONFIG_FROM_ENVIRONMENT = -1,
    CONFIG_ENV_NAME_MAX = 128,
    CONFIG_PLACE_MAX =
        256 /* a file's name (its first 120 bytes), line, section and key */
};

/* One section. */
struct config_where {
    enum config_kind kind;
    size_t index;
};

struct config_load {
    struct config config;
    const char *name; /* of the file, for errors */
    mode_t mode;      /* permissions of the file; 0 when there is none */
    char *const *env; /* the environment; NULL: none */
    bool
        for_responder; /* what signs for s3: destinations stays unread, tokens of [auth] do not */
    struct config_where current; /* the section that the lines being read belong to */
    bool in_section;             /* false before the first one */
    /* Where each value is from: a line, or one of CONFIG_FROM_*; by kind, index and place in config_settings. */
    int origins[CONFIG_KINDS][CONFIG_QUEUES_MAX][CONFIG_SETTINGS_MAX];
    int section_lines[CONFIG_KINDS][CONFIG_QUEUES_MAX]; /* 0: not in the file */
};

_Static_assert(CONFIG_QUEUES_MAX == CONFIG_DESTINATIONS_MAX &&
                   CONFIG_QUEUES_MAX == CONFIG_COMMANDS_MAX &&
                   CONFIG_QUEUES_MAX == CONFIG_SCHEDULES_MAX &&
                   CONFIG_QUEUES_MAX == CONFIG_CONVERTERS_MAX &&
                   CONFIG_QUEUES_MAX == CONFIG_AUTHS_MAX &&
                   CONFIG_QUEUES_MAX == CONFIG_WEBHOOKS_MAX,
               "one size of arrays for all");

/* The struct of a section. */
void *config_load_section(struct config_load *l, struct config_where where);

/* Where the value of a setting is from. */
int config_load_origin(const struct config_load *l, struct config_where where,
                       const struct config_setting *s);

/* Put "hoist.ini:12: [queue media] to: " or "environment HOIST_QUEUE_MEDIA_TO: " in front of *e; returns its code. */
enum err_code config_load_blame(const struct config_load *l, struct config_where where,
                                const struct config_setting *s, struct err *e);

/* Make the section that stands between the brackets the current one, and add it where it is new.
 * ERR_CONFIG: not a section of this version, a bad name, or too many. */
MUST_CHECK enum err_code config_load_open(struct config_load *l, const char *section,
                                          int line, struct err *e);

/* Add [queue default] and [destination default] where they are missing, and [queue hooks] where there is a webhook.
 * ERR_CONFIG: too many. */
MUST_CHECK enum err_code config_load_add_defaults(struct config_load *l, struct err *e);

/* A word as it stands in the names of the environment: upper case, '-' as '_'. */
void config_env_add(struct buf *b, const char *word);

/* HOIST_QUEUE_MEDIA_TO. */
void config_env_name(const struct config *c, struct config_where where,
                     const struct config_setting *s, struct buf *b);

/* *e says what is wrong with that key. */
enum err_code config_blame(const struct config_load *l, struct config_where where,
                           const char *key, struct err *e);
/* 1 to max characters of A-Z a-z 0-9 and more. */
bool config_is_word(const char *s, const char *more, size_t max);

/* What is secret, and who signs: config_secret.c.  Reads secret files, names those of systemd. */
MUST_CHECK enum err_code config_check_secrets(struct config_load *l, struct err *e);
/* Of an s3: destination. */
MUST_CHECK enum err_code config_check_credentials(struct config_load *l, size_t index,
                                                  struct err *e);

/* run and type of a section that is a program: a command, a converter. */
MUST_CHECK enum err_code config_check_program(const struct config_load *l,
                                              struct config_where where,
                                              const char *run, const char *type,
                                              struct err *e);

/* The commands and schedules: config_schedule.c.  Derives what they have. */
MUST_CHECK enum err_code config_check_schedules(struct config_load *l, struct err *e);

/* The converters, and where they are named: config_converter.c. */
MUST_CHECK enum err_code config_check_converters(const struct config_load *l,
                                                 struct err *e);

/* [fetch]: config_fetch.c.  Derives its rules. */
MUST_CHECK enum err_code config_check_fetch(struct config_load *l, struct err *e);

/* config_delivery.c.  A destination that is neither file: nor s3:; its url has been parsed. */
MUST_CHECK enum err_code config_check_delivery(const struct config_load *l,
                                               struct config_where where,
                                               struct err *e);
/* The setting `to` of a queue or schedule: destinations that there are, as to_list.h writes them from then on. */
MUST_CHECK enum err_code config_check_to(struct config_load *l,
                                         struct config_where where, struct err *e);

/* The setting allow_types of a queue or destination. */
MUST_CHECK enum err_code config_check_types(const struct config_load *l,
                                            struct config_where where, const char *list,
                                            struct err *e);

/* What the objects of a destination are made with, once its url has been taken apart: config_object.c.  Fills in what its
 * provider's row says. */
MUST_CHECK enum err_code config_check_object(struct config_load *l,
                                             struct config_where where, struct err *e);

/* [auth NAME]: config_auth.c.  Derives what it has; queues and destinations are known. */
MUST_CHECK enum err_code config_check_auth(struct config_load *l, struct err *e);

/* [webhook NAME]: config_webhook.c.  Derives what it has, and what queues have of it; queues and destinations are known. */
MUST_CHECK enum err_code config_check_webhooks(struct config_load *l, struct err *e);

/* Everything that one value alone does not show; reads secret files, fills in what is derived. */
MUST_CHECK enum err_code config_check(struct config_load *l, struct err *e);

#endif
