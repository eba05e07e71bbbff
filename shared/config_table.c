#include "shared/config_table.h"

#include <stddef.h>
#include <string.h>

static const char *const durability_words[] = {"disk", "memory", NULL};
static const char *const style_words[] = {"path", "virtual", "auto", NULL};
static const char *const checksum_words[] = {"no", "sha256", "crc32c", NULL};
static const char *const level_words[] = {"debug", "info", "warn", "error", NULL};

#define K(n) ((int64_t)(n) << 10)
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
#define RANGE(min_, max_) .min = (min_), .max = (max_)
#define WORDS(words_, count_) .words = (words_), .word_count = (count_)

const struct config_setting config_settings[] = {
    {REDIS(CONFIG_TEXT, url, "redis://127.0.0.1:6379",
           "Where Redis is: redis://[user[:password]@]host[:port][/db] or\n"
           "unix:///path[?db=N].  A password is better given in password_file."),
     .privacy = CONFIG_SECRET_URL},
    {REDIS(CONFIG_PATH, password_file, "",
           "A file with the password of Redis; wins over one in url.")},
    {REDIS(CONFIG_TEXT, password, "",
           "The password itself; meant for HOIST_REDIS_PASSWORD.  Not with "
           "password_file."),
     .privacy = CONFIG_SECRET},
    {REDIS(CONFIG_MS, connect_timeout_ms, "1000", "Limit for making a connection."),
     RANGE(1, 600000)},
    {REDIS(CONFIG_MS, timeout_ms, "1000", "Limit for one command."), RANGE(1, 600000)},
    {REDIS(
         CONFIG_NUMBER, wait_replicas, "0",
         "A 202 waits, at most wait_ms, until so many replicas have its job, and says\n"
         "how many had.  The file is safe in the spool without it."),
     RANGE(0, 16)},
    {REDIS(CONFIG_BOOL, wait_aof, "no",
           "The same until Redis has synced its append-only file; from Redis 7.2 on.")},
    {REDIS(CONFIG_MS, wait_ms, "100", "Limit for what a 202 waits for."),
     RANGE(1, 10000)},
    {REDIS(
         CONFIG_NUMBER, high_water, "0",
         "Percent of Redis' maxmemory from which on new uploads are refused with 503;\n"
         "0: none, they wait in the spool."),
     RANGE(0, 100)},
    {REDIS(CONFIG_NUMBER, low_water, "0",
           "Percent below which they are welcome again; 0: five less."),
     RANGE(0, 100)},

    {SPOOL(
        CONFIG_PATH, dir, "/var/spool/hoist",
        "The directory that keeps every accepted upload until it has arrived.  On a\n"
        "local disk, mode 0700, of the user that the programs run as.")},
    {SPOOL(
         CONFIG_WORD, durability, "disk",
         "disk: a 202 survives a power cut.  memory: no syncs, for a spool on tmpfs."),
     WORDS(durability_words, 2)},
    {SPOOL(CONFIG_SECONDS, reconcile_seconds, "30",
           "How often spool and Redis are compared and repaired."),
     RANGE(1, DAY)},
    {SPOOL(CONFIG_BOOL, own_filesystem, "no",
           "Refuse to use dir while nothing is mounted there, so that a spool whose\n"
           "disk is missing never fills the disk below.")},
    {SPOOL(CONFIG_SIZE, max_bytes, "0",
           "Bytes that the spool may hold; 0: what its file system has."),
     RANGE(0, T(1024))},
    {SPOOL(CONFIG_NUMBER, max_files, "0",
           "Uploads that the spool may hold; 0: what its file system has."),
     RANGE(0, 1000000000)},
    {SPOOL(CONFIG_NUMBER, high_water, "95",
           "Percent of bytes, files or inodes from which on new uploads are refused\n"
           "with 507."),
     RANGE(1, 100)},
    {SPOOL(CONFIG_NUMBER, low_water, "0",
           "Percent below which they are welcome again; 0: five less."),
     RANGE(0, 100)},

    {HTTP(CONFIG_PATH, listen, "/run/hoist/fcgi.sock",
          "The unix socket of the responder, unless it was given a descriptor by\n"
          "systemd or spawn-fcgi.")},
    {HTTP(CONFIG_OCTAL, socket_mode, "0660", "Permissions of that socket."),
     RANGE(0, 0777)},
    {HTTP(CONFIG_TEXT, socket_group, "",
          "Group of that socket, that of the web server; empty: the program's own.")},
    {HTTP(CONFIG_NUMBER, threads, "4",
          "Requests that are handled at the same time, not counting those whose\n"
          "client is slow."),
     RANGE(1, 256)},
    {HTTP(CONFIG_NUMBER, max_threads, "256",
          "Threads in all: one more is started for each request that a slow client\n"
          "holds up."),
     RANGE(1, 4096)},
    {HTTP(CONFIG_NUMBER, max_connections, "1024",
          "Connections from the web server that may be open, idle ones included."),
     RANGE(1, 65536)},
    {HTTP(CONFIG_SECONDS, receive_timeout_seconds, "60",
          "A request whose body stands still for so long is given up."),
     RANGE(1, 3600)},
    {HTTP(CONFIG_SECONDS, send_timeout_seconds, "60",
          "An answer that the web server does not take for so long is given up."),
     RANGE(1, 3600)},
    {HTTP(CONFIG_NUMBER, max_parts, "64",
          "Parts of one form, files and fields together."),
     RANGE(1, 10000)},
    {HTTP(CONFIG_SIZE, max_part_header_bytes, "16K", "Headers of one part of a form."),
     RANGE(256, K(1024))},
    {HTTP(CONFIG_SIZE, max_field_bytes, "4K", "One text field of a form."),
     RANGE(64, K(1024))},
    {HTTP(CONFIG_NUMBER, max_waiters, "256",
          "Requests with ?wait= that may be parked at the same time."),
     RANGE(0, 65536)},
    {HTTP(CONFIG_SECONDS, wait_max_seconds, "60",
          "The longest ?wait= that is granted."),
     RANGE(0, 3600)},
    {HTTP(CONFIG_WORD, log_level, "info", "The lowest level that hoist-fcgi logs."),
     WORDS(level_words, 4)},

    {WORKER(
        CONFIG_TEXT, queues, "*",
        "The queues that are worked on, the first ones first: names with commas "
        "between\n"
        "them.  With weights (media:5, docs:1) none waits for the others.  * stands "
        "for\n"
        "all that are configured, and then those that others add while this runs.")},
    {WORKER(CONFIG_NUMBER, concurrency, "64",
            "Uploads at the same time in one process."),
     RANGE(1, 1024)},
    {WORKER(CONFIG_SECONDS, drain_seconds, "30",
            "After SIGTERM: how long running uploads may take to finish."),
     RANGE(0, DAY)},
    {WORKER(CONFIG_MS, lease_ms, "10000",
            "A job of a worker that is silent for so long runs again elsewhere."),
     RANGE(1000, 3600000)},
    {WORKER(
        CONFIG_TEXT, id, "",
        "Name of the worker in Redis and in logs; empty: made from host and process.")},
    {WORKER(
        CONFIG_PATH, alive_file, "",
        "A file that is touched every 2.5 seconds while the worker works, and removed\n"
        "when nothing could be claimed for 15 seconds; each worker wants its own.")},
    {WORKER(CONFIG_WORD, log_level, "info", "The lowest level that hoist-worker logs."),
     WORDS(level_words, 4)},

    {QUEUE(CONFIG_TEXT, to, "default", "The destination of jobs that name none.")},
    {QUEUE(CONFIG_NUMBER, priority, "5", "Of jobs that name none; 0 runs first."),
     RANGE(0, 9)},
    {QUEUE(CONFIG_NUMBER, max_attempts, "10",
           "A job that failed so often is dead: its bytes are kept, a person decides."),
     RANGE(1, 1000)},
    {QUEUE(CONFIG_NUMBER, max_crashes, "3",
           "A job that was running in so many workers that died is dead, too."),
     RANGE(1, 1000)},
    {QUEUE(CONFIG_SIZE, max_bytes, "5G", "The largest file that is accepted."),
     RANGE(0, T(5))},
    {QUEUE_AS(
         "retry_base", CONFIG_MS, retry_base_ms, "1s",
         "Pause before the second attempt, doubled before each later one; the pause\n"
         "taken is a random part of it."),
     RANGE(1, DAY * 1000)},
    {QUEUE_AS("retry_cap", CONFIG_MS, retry_cap_ms, "5m", "The longest such pause."),
     RANGE(1, DAY * 1000)},
    {QUEUE(CONFIG_SECONDS, keep_done_seconds, "7d",
           "How long a finished job can still be looked up.  Not less than a minute: "
           "who\n"
           "waits for it, and the comparison of spool and Redis, must still find it."),
     RANGE(60, DAY * 3650)},
    {QUEUE(CONFIG_NUMBER, keep_done_count, "100000",
           "How many finished jobs can still be looked up."),
     RANGE(0, 100000000)},

    {DESTINATION(
        CONFIG_TEXT, url, "file:///var/lib/hoist/objects",
        "Where objects go: file:///dir or s3://bucket[/prefix].  A destination with\n"
        "another name than default has no default url.")},
    {DESTINATION(
        CONFIG_TEXT, endpoint, "",
        "S3: http://host[:port] or https://host[:port] of a store that is not\n"
        "Amazon's; empty: https://s3.REGION.amazonaws.com.")},
    {DESTINATION(CONFIG_TEXT, region, "us-east-1", "S3: the region.")},
    {DESTINATION(
         CONFIG_WORD, style, "auto",
         "S3: path (endpoint/bucket/key) or virtual (bucket.endpoint/key); auto:\n"
         "virtual where endpoint is empty and the bucket has no dot, else path."),
     WORDS(style_words, 3)},
    {DESTINATION(CONFIG_TEXT, access_key, "", "S3: the access key id.")},
    {DESTINATION(CONFIG_TEXT, secret_key, "",
                 "S3: the secret access key.  Not together with secret_key_file."),
     .privacy = CONFIG_SECRET},
    {DESTINATION(CONFIG_PATH, secret_key_file, "",
                 "S3: a file with the secret access key, not readable by others.")},
    {DESTINATION(
         CONFIG_TEXT, session_token, "",
         "S3: the token of temporary keys.  Not together with session_token_file."),
     .privacy = CONFIG_SECRET},
    {DESTINATION(CONFIG_PATH, session_token_file, "",
                 "S3: a file with that token; they are longer than a line may be.")},
    {DESTINATION(
        CONFIG_BOOL, conditional, "yes",
        "S3: create only (If-None-Match: *), so that nothing is overwritten.")},
    {DESTINATION(
         CONFIG_WORD, checksum, "sha256",
         "S3: the checksum of the bytes that the store is sent, verifies and tells:\n"
         "sha256, crc32c (which costs it less) or no."),
     WORDS(checksum_words, 3), .takes_bool = true},
    {DESTINATION(CONFIG_TEXT, content_type, "application/octet-stream",
                 "Content type of objects whose upload named none.")},
    {DESTINATION(CONFIG_SECONDS, connect_timeout_seconds, "10",
                 "Limit for making a connection."),
     RANGE(1, 3600)},
    {DESTINATION(CONFIG_SECONDS, stall_timeout_seconds, "30",
                 "An upload of which no byte moved for so long has failed."),
     RANGE(1, 3600)},
    {DESTINATION(CONFIG_SECONDS, answer_timeout_seconds, "120",
                 "Limit for the answer after the last byte was sent."),
     RANGE(1, 3600)},
    {DESTINATION(CONFIG_PATH, ca_file, "",
                 "Certificates (PEM) that are trusted; empty: the system's.")},

    {COMMAND(
        CONFIG_TEXT, run, "",
        "The program and its arguments, as systemd splits them: words with blanks\n"
        "in quotes, backslash escapes, no shell.  What it writes on its standard\n"
        "output is uploaded when it has ended with status 0.")},
    {COMMAND_AS("time_limit", CONFIG_MS, time_limit_ms, "1h",
                "It is ended after so long, and the attempt has failed."),
     RANGE(1, DAY * 7000)},
    {COMMAND(CONFIG_SIZE, max_bytes, "5G",
             "The most that it, or a file that it writes, may hold."),
     RANGE(1, T(5))},
    {COMMAND(CONFIG_TEXT, type, "",
             "Content type of what it writes; empty: that of the destination.")},

    {SCHEDULE(CONFIG_TEXT, queue, "default", "The queue that its jobs go to.")},
    {SCHEDULE(CONFIG_TEXT, to, "", "Their destination; empty: that of the queue.")},
    {SCHEDULE(CONFIG_NUMBER, priority, "5",
              "Their priority, 0 runs first; if not set, that of the queue."),
     RANGE(0, 9)},
    {SCHEDULE(CONFIG_TEXT, cron, "",
              "When: minute hour day month weekday, for example 30 2 * * MON-FRI.")},
    {SCHEDULE(CONFIG_TEXT, time_zone, "UTC",
              "The zone whose clocks cron means, for example Europe/Berlin.")},
    {SCHEDULE_AS("every", CONFIG_MS, every_ms, "0ms",
                 "Instead of cron: at the multiples of this since 1970; from 1s on."),
     RANGE(0, CRON_EVERY_MAX_MS)},
    {SCHEDULE(
        CONFIG_TEXT, source, "",
        "Where the bytes are from: command:NAME, the output of a [command NAME].")},
    {SCHEDULE_AS(
        "name", CONFIG_TEXT, object_name, "",
        "File name of what is uploaded; empty: the schedule's.  In name and key stand\n"
        "{yyyy} {mm} {dd} {hh} {mi} {ss} for the time it was due, in UTC, and {id} "
        "for\n"
        "the id of the job.")},
    {SCHEDULE(
        CONFIG_TEXT, key, "",
        "Key of the object below the destination, no two the same; empty: the id\n"
        "with the extension of name.")},
};

const size_t config_setting_count = sizeof config_settings / sizeof config_settings[0];

_Static_assert(sizeof config_settings / sizeof config_settings[0] <=
                   CONFIG_SETTINGS_MAX,
               "struct config_load has an array of that size");
_Static_assert(sizeof(enum config_durability) == sizeof(int) &&
                   sizeof(enum config_style) == sizeof(int) &&
                   sizeof(enum log_level) == sizeof(int),
               "CONFIG_WORD is stored as an int");

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
    [CONFIG_KIND_COMMAND] = {"command", true, false, offsetof(struct config, commands),
                             sizeof(struct config_command),
                             offsetof(struct config, command_count)},
    [CONFIG_KIND_SCHEDULE] = {"schedule", true, false,
                              offsetof(struct config, schedules),
                              sizeof(struct config_schedule),
                              offsetof(struct config, schedule_count)},
};
_Static_assert(offsetof(struct config_queue, name) == 0 &&
                   offsetof(struct config_destination, name) == 0 &&
                   offsetof(struct config_command, name) == 0 &&
                   offsetof(struct config_schedule, name) == 0,
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
