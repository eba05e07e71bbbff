/* The one array of settings: columns and words here, rows in config_rows_*.h. */
#include "shared/config_table.h"

#include <stddef.h>

static const char *const durability_words[] = {"disk", "memory", NULL};
static const char *const style_words[] = {"path", "virtual", "auto", NULL};
static const char *const checksum_words[] = {"no", "sha256", "crc32c", "md5", NULL};
static const char *const conditional_words[] = {"no", "yes", "probe", NULL};
static const char *const sse_words[] = {"no", "AES256", "aws:kms", NULL};
static const char *const provider_words[] = {"generic", "aws",   "minio", "ceph",
                                             "r2",      "b2",    "gcs",   "wasabi",
                                             "garage",  "storj", NULL};
static const char *const credentials_words[] = {
    "auto", "config", "environment", "file", "imds", "container", "web_identity", NULL};
static const char *const sandbox_words[] = {"no", "auto", "require", NULL};
static const char *const method_words[] = {"PUT", "POST", NULL};
static const char *const level_words[] = {"debug", "info", "warn", "error", NULL};

#define K(n) ((int64_t)(n) << 10)
#define G(n) ((int64_t)(n) << 30)
#define T(n) ((int64_t)(n) << 40)
#define DAY INT64_C(86400)

/* The columns that every row has; ranges, words and privacy follow as designated initialisers. */
#define ROW(kind_, type_, struct_, field_, key_, fallback_, help_)                     \
    .kind = (kind_), .type = (type_), .offset = offsetof(struct struct_, field_),      \
    .key = (key_), .fallback = (fallback_), .help = (help_)
#define REDIS(type, field, fallback, help)                                             \
    ROW(CONFIG_KIND_REDIS, type, config_redis, field, #field, fallback, help)
#define SPOOL(type, field, fallback, help)                                             \
    ROW(CONFIG_KIND_SPOOL, type, config_spool, field, #field, fallback, help)
#define HTTP(type, field, fallback, help)                                              \
    ROW(CONFIG_KIND_HTTP, type, config_http, field, #field, fallback, help)
#define WORKER(type, field, fallback, help)                                            \
    ROW(CONFIG_KIND_WORKER, type, config_worker, field, #field, fallback, help)
#define QUEUE(type, field, fallback, help)                                             \
    ROW(CONFIG_KIND_QUEUE, type, config_queue, field, #field, fallback, help)
#define QUEUE_AS(key, type, field, fallback, help)                                     \
    ROW(CONFIG_KIND_QUEUE, type, config_queue, field, key, fallback, help)
#define DESTINATION(type, field, fallback, help)                                       \
    ROW(CONFIG_KIND_DESTINATION, type, config_destination, field, #field, fallback,    \
        help)
#define COMMAND(type, field, fallback, help)                                           \
    ROW(CONFIG_KIND_COMMAND, type, config_command, field, #field, fallback, help)
#define COMMAND_AS(key, type, field, fallback, help)                                   \
    ROW(CONFIG_KIND_COMMAND, type, config_command, field, key, fallback, help)
#define SCHEDULE(type, field, fallback, help)                                          \
    ROW(CONFIG_KIND_SCHEDULE, type, config_schedule, field, #field, fallback, help)
#define SCHEDULE_AS(key, type, field, fallback, help)                                  \
    ROW(CONFIG_KIND_SCHEDULE, type, config_schedule, field, key, fallback, help)
#define CONVERTER(type, field, fallback, help)                                         \
    ROW(CONFIG_KIND_CONVERTER, type, config_converter, field, #field, fallback, help)
#define CONVERTER_AS(key, type, field, fallback, help)                                 \
    ROW(CONFIG_KIND_CONVERTER, type, config_converter, field, key, fallback, help)
#define FETCH(type, field, fallback, help)                                             \
    ROW(CONFIG_KIND_FETCH, type, config_fetch, field, #field, fallback, help)
#define FETCH_AS(key, type, field, fallback, help)                                     \
    ROW(CONFIG_KIND_FETCH, type, config_fetch, field, key, fallback, help)
#define AUTH(type, field, fallback, help)                                              \
    ROW(CONFIG_KIND_AUTH, type, config_auth, field, #field, fallback, help)
#define WEBHOOK(type, field, fallback, help)                                           \
    ROW(CONFIG_KIND_WEBHOOK, type, config_webhook, field, #field, fallback, help)
#define WEBHOOK_AS(key, type, field, fallback, help)                                   \
    ROW(CONFIG_KIND_WEBHOOK, type, config_webhook, field, key, fallback, help)
#define RANGE(min_, max_) .min = (min_), .max = (max_)
#define WORDS(words_, count_) .words = (words_), .word_count = (count_)

const struct config_setting config_settings[] = {
#include "shared/config_rows_programs.h"
#include "shared/config_rows_destination.h"
#include "shared/config_rows_fetch.h"
#include "shared/config_rows_work.h"
#include "shared/config_rows_converter.h"
#include "shared/config_rows_auth.h"
#include "shared/config_rows_webhook.h"
};

const size_t config_setting_count = sizeof config_settings / sizeof config_settings[0];

_Static_assert(sizeof config_settings / sizeof config_settings[0] <=
                   CONFIG_SETTINGS_MAX,
               "struct config_load has an array of that size");
_Static_assert(sizeof(enum config_durability) == sizeof(int) &&
                   sizeof(enum config_style) == sizeof(int) &&
                   sizeof(enum config_sandbox) == sizeof(int) &&
                   sizeof(enum config_method) == sizeof(int) &&
                   sizeof(enum log_level) == sizeof(int),
               "CONFIG_WORD is stored as an int");
