/*
 * config_table: the one list of all settings.  Private to config*.c; drives parsing, checks, --help and --show-config.
 *
 *     section kind   [redis] [spool] [http] [worker] [fetch] once each; [queue NAME] [destination NAME] [command NAME]
 *                    [schedule NAME] [converter NAME] [auth NAME] [webhook NAME] many times
 *     setting        key, type, range or words, default, help, and where in the section's struct its value goes
 *
 * The rows stand in config_rows_*.h, what they are made of in config_settings.c.
 * Constant data and pure functions; thread-safe.
 */
#ifndef HOIST_SHARED_CONFIG_TABLE_H
#define HOIST_SHARED_CONFIG_TABLE_H

#include "shared/config.h"

enum config_kind {
    CONFIG_KIND_REDIS,
    CONFIG_KIND_SPOOL,
    CONFIG_KIND_HTTP,
    CONFIG_KIND_WORKER,
    CONFIG_KIND_QUEUE,
    CONFIG_KIND_DESTINATION,
    CONFIG_KIND_FETCH,
    CONFIG_KIND_COMMAND,
    CONFIG_KIND_SCHEDULE,
    CONFIG_KIND_CONVERTER,
    CONFIG_KIND_AUTH,
    CONFIG_KIND_WEBHOOK,
    CONFIG_KINDS
};

enum config_type {
    CONFIG_TEXT,   /* char *: printable bytes, may be empty */
    CONFIG_PATH,   /* char *: an absolute path, or empty where the default is empty */
    CONFIG_NUMBER, /* int64_t */
    CONFIG_OCTAL,  /* int64_t */
    CONFIG_SIZE,   /* int64_t, bytes; K M G T */
    CONFIG_MS, /* int64_t, ms; a bare number is ms where the key ends in _ms, else seconds */
    CONFIG_SECONDS, /* int64_t, seconds */
    CONFIG_BOOL,    /* bool */
    CONFIG_WORD     /* an enum whose values count through words from 0 */
};

enum config_privacy {
    CONFIG_PUBLIC,
    CONFIG_SECRET,    /* never printed: not in errors, and as "(set)" by config_show */
    CONFIG_SECRET_URL /* the same for the password in its user:password@ */
};

struct config_setting {
    enum config_kind kind;
    enum config_type type;
    enum config_privacy privacy;
    size_t offset; /* in the struct of its kind */
    const char *key;
    const char *fallback;     /* the default, in the text form of the file */
    const char *help;         /* one or two lines, '\n' between them */
    int64_t min, max;         /* of the stored value; numbers alone */
    const char *const *words; /* CONFIG_WORD: ends with NULL */
    bool takes_credential;    /* CONFIG_PATH: credential:NAME is allowed, too */
    size_t word_count;        /* words that can be configured; more may only be shown */
    bool
        takes_bool; /* the first word may be said as no, the second as yes, and so on */
};

/* Stands in front of the name of a file that systemd hands over. */
#define CONFIG_CREDENTIAL "credential:"

enum { CONFIG_SETTINGS_MAX = 192 };

/* All settings, those of one kind next to each other, in the order in which they are shown. */
extern const struct config_setting config_settings[];
extern const size_t config_setting_count;

/* "redis" ... "webhook". */
const char *config_kind_name(enum config_kind kind);
/* True for kinds written [kind NAME]. */
bool config_kind_is_named(enum config_kind kind);
/* True for named kinds of which one called default is there without being configured. */
bool config_kind_has_default(enum config_kind kind);
/* The setting of that kind and key, or NULL. */
const struct config_setting *config_find_setting(enum config_kind kind,
                                                 const char *key);

/* How many sections of a kind there are, the name of the index-th one ("" for those without), and where its struct
 * stands: bytes from the start of struct config. */
/* That number of a named kind, to be changed. */
size_t *config_section_counter(struct config *c, enum config_kind kind);
size_t config_section_count(const struct config *c, enum config_kind kind);
const char *config_section_name(const struct config *c, enum config_kind kind,
                                size_t index);
size_t config_section_offset(enum config_kind kind, size_t index);

#endif
