/*
 * config: the settings of both programs, from one INI file, the environment and defaults.
 *
 *     config_init -> config_load (file, then HOIST_SECTION_KEY variables, then checks) -> struct config, read only
 *
 * One table (config_table.c) names every setting with its section, type, range, default and one line of help.  It
 * drives parsing, `--help`, `--show-config` and the manual; a setting that is not in it is an error that names file,
 * line and what is allowed.  [queue default] and [destination default] exist unless configured (the default destination
 * is file:///var/lib/hoist/objects).  Settings of a queue or destination that are not given come from the table.
 *
 * Text: '#' or ';' at the start of a line, and ';' after a blank, start a comment.  A line has at most 197 bytes, which is
 * what inih reads; longer is an error.  No continuation lines: indentation means nothing.  A section may be opened again, a
 * key may not be set again.  config_file.h has the whole form.
 * Values: sizes are bytes with an optional K, M, G or T (powers of 1024); durations are in the unit of the setting's name
 * (_ms, _seconds; seconds where it names none) or carry their own (250ms, 30s, 5m, 2h, 7d); booleans are
 * yes/no/true/false/on/off/1/0.
 * Environment: HOIST_REDIS_URL, HOIST_QUEUE_MEDIA_MAX_BYTES, HOIST_DESTINATION_DEFAULT_SECRET_KEY ...: section, name and
 * key in upper case, '-' as '_'.  Only known names of declared sections are looked at; an empty one counts as not set.
 * Secrets: secret_key_file, session_token_file, bearer_token_file, hmac_secret_file, secret_file and password_file (a path, or credential:NAME for the file NAME below
 * $CREDENTIALS_DIRECTORY, where systemd puts what LoadCredential= names) are read at load (the newline at the end dropped; a file
 * that others can read, or its group write, is refused).  The secret itself and its file may not both be given; what is
 * in the environment wins over what is in the file.  A configuration file that holds a secret and is open to others
 * (mode & 0007) is refused.  --show-config prints secrets, and the user and password in a url, as "(set)".
 * Tokens of [auth NAME] are kept as SHA-256 alone: what a token_file holds is hashed and wiped at load, by hoist-fcgi;
 * config_load leaves these files unread.
 *
 * Strings are owned by the struct config and live until config_release.
 */
#ifndef HOIST_SHARED_CONFIG_H
#define HOIST_SHARED_CONFIG_H

#include "shared/buf.h"
#include "shared/config_webhook.h"
#include "shared/cron.h"
#include "shared/err.h"
#include "shared/fetch_filter.h"
#include "shared/id.h"
#include "shared/log.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    CONFIG_QUEUES_MAX = 64,
    CONFIG_DESTINATIONS_MAX = 64,
    CONFIG_COMMANDS_MAX = 64,
    CONFIG_SCHEDULES_MAX = 64,
    CONFIG_CONVERTERS_MAX = 64,
    CONFIG_AUTHS_MAX = 64,
    CONFIG_WEBHOOKS_MAX = 64,
    CONFIG_NAME_MAX = 32,
    CONFIG_TOKEN_MAX = 256,  /* characters of a bearer token */
    CONFIG_WEIGHT_MAX = 1000 /* of a queue among those of a worker */
};

enum config_durability { CONFIG_DISK, CONFIG_MEMORY };
enum config_style {
    CONFIG_PATH_STYLE,
    CONFIG_VIRTUAL_STYLE,
    CONFIG_AUTO_STYLE /* only while loading: resolved to one of the others */
};
enum config_credentials {
    CONFIG_KEYS_AUTO,
    CONFIG_KEYS_CONFIG,
    CONFIG_KEYS_ENVIRONMENT,
    CONFIG_KEYS_FILE,
    CONFIG_KEYS_IMDS,
    CONFIG_KEYS_CONTAINER,
    CONFIG_KEYS_WEB_IDENTITY
};
enum config_sandbox { CONFIG_NO_SANDBOX, CONFIG_SANDBOX_AUTO, CONFIG_SANDBOX_REQUIRE };
enum config_checksum { CONFIG_NO_CHECKSUM, CONFIG_SHA256, CONFIG_CRC32C, CONFIG_MD5 };
/* Whether objects are created only (If-None-Match: *). */
enum config_conditional {
    CONFIG_OVERWRITE,
    CONFIG_CREATE, /* and the store is trusted to honour it */
    CONFIG_PROBE   /* and the store is tried once */
};
enum config_encryption { CONFIG_NO_SSE, CONFIG_SSE_S3, CONFIG_SSE_KMS };
/* Whose store it is: the rows of s3_provider.h. */
enum config_provider {
    CONFIG_GENERIC,
    CONFIG_AWS,
    CONFIG_MINIO,
    CONFIG_CEPH,
    CONFIG_R2,
    CONFIG_B2,
    CONFIG_GCS,
    CONFIG_WASABI,
    CONFIG_GARAGE,
    CONFIG_STORJ
};
enum config_scheme { CONFIG_FILE, CONFIG_S3, CONFIG_HTTP, CONFIG_COMMAND };
enum config_method { CONFIG_PUT, CONFIG_POST };

struct config_redis {
    char *url;                  /* unix:///… | redis://… */
    char *password_file;        /* a file with the password; wins over one in the url */
    char *password;             /* what was read from it; or HOIST_REDIS_PASSWORD */
    int64_t connect_timeout_ms; /* 1000 */
    int64_t timeout_ms;         /* 1000: one command */
    int64_t wait_replicas;      /* 0: replicas that have a job before its 202 is sent */
    bool wait_aof;              /* no: and the master's append-only file is synced */
    int64_t wait_ms;            /* 100: not longer than this */
    int64_t high_water;         /* percent of maxmemory; 0: no mark */
    int64_t low_water;          /* 0: five less than high_water */
};

struct config_spool {
    char *dir;
    char *dir_place;                   /* where dir was set; NULL: not by config_load */
    enum config_durability durability; /* disk */
    int64_t reconcile_seconds;         /* 30 */
    bool own_filesystem;               /* no: dir may be on that of its parent */
    int64_t max_bytes;                 /* 0: what the file system has */
    int64_t small_bytes;               /* 16K: in one file with their manifest */
    int64_t max_files;                 /* 0: as many */
    int64_t high_water;                /* 95 percent of any of them */
    int64_t low_water;                 /* 0: five less than high_water */
};

struct config_http {
    char *listen;                    /* unix socket, where it was given no descriptor */
    int64_t socket_mode;             /* octal; 0660 */
    char *socket_group;              /* group of the socket; empty: unchanged */
    int64_t threads;                 /* 4: requests handled at the same time */
    int64_t max_threads;             /* 256: with those that slow clients hold up */
    int64_t max_connections;         /* 1024 */
    int64_t receive_timeout_seconds; /* 60: so long nothing came from the web server */
    int64_t send_timeout_seconds;    /* 60 */
    int64_t max_parts;               /* 64: parts of one form, files and fields */
    int64_t max_part_header_bytes;   /* 16K */
    int64_t max_field_bytes;         /* 4K: one text field */
    int64_t max_part_headers;        /* 16: lines */
    int64_t max_preamble_bytes;      /* 64K: and as many of the epilogue */
    int64_t max_waiters;             /* 2048: ?wait= requests parked at the same time */
    int64_t max_listeners;           /* 2048: event streams open at the same time */
    int64_t wait_max_seconds;        /* 60 */

    char *peer_users; /* who may connect to a unix socket (peers.h); empty: not asked */
    char *
        web_servers; /* addresses that may connect by TCP; empty: loopback listener only */
    int64_t slow_ms; /* 5000: a request that takes longer is logged; 0: none is */

    char *body_dir;  /* empty: bodies come by FastCGI alone */
    char *body_user; /* owner of the files in it; empty: the program's own user */

    enum log_level log_level; /* info */
    char *cors_origins; /* whose pages may use the service (origin.h); empty: its own */
    char *hosts;        /* its names (origin.h); empty: as cors.h says */
    int64_t idempotency_keep_seconds; /* 1d: at least, since the request */
};

struct config_queue {
    char name[CONFIG_NAME_MAX + 1];
    char *to;                  /* destinations, as to_list.h writes them; default */
    char *convert;             /* names of converters, "a, b"; empty: none */
    int64_t priority;          /* 5 */
    int64_t max_attempts;      /* 10 */
    int64_t max_crashes;       /* 3 */
    int64_t max_bytes;         /* 5G: one file */
    int64_t retry_base_ms;     /* setting retry_base, 1s */
    int64_t retry_cap_ms;      /* setting retry_cap, 5m */
    int64_t keep_done_seconds; /* 7 days: how long a finished job can be looked up */
    int64_t keep_done_count;   /* 100000 */
    char *allow_types;         /* media_type.h; empty: all */

    /* Derived at load. */
    bool is_of_webhooks; /* webhooks are delivered through it: no upload goes there */
};

struct config_destination {
    char name[CONFIG_NAME_MAX + 1];
    char *
        url; /* file:///dir | s3://bucket/prefix | http(s)://host/path | command:NAME */
    char *endpoint; /* http(s)://host[:port]; empty: https://s3.REGION.amazonaws.com */
    enum config_provider provider; /* generic; aws where endpoint is empty */
    char *region;                  /* the provider's; us-east-1 */
    enum config_style style; /* path | virtual; default: virtual for Amazon's only */
    enum config_credentials credentials; /* auto: where keys are from */
    char *access_key, *secret_key, *secret_key_file;
    char *session_token, *session_token_file; /* as secret_key and its file */
    char *credentials_file;                   /* empty: ~/.aws/credentials */
    char *profile;             /* in it; empty: that of AWS_PROFILE, or default */
    char *imds_endpoint;       /* empty: http://169.254.169.254 */
    char *sts_endpoint;        /* empty: https://sts.REGION.amazonaws.com */
    enum config_method method; /* http: PUT | POST */
    char *bearer_token, *bearer_token_file; /* http: as secret_key and its file */
    char *hmac_secret, *hmac_secret_file;
    enum config_conditional conditional; /* probe; yes where the provider's is known */
    enum config_checksum checksum;       /* which one is sent; the provider's: sha256 */
    char *key;           /* a template (job_key.h); empty: job_default_key */
    char *allow_types;   /* as of a queue */
    char *storage_class; /* these eight: empty or no, and the bucket's own counts */
    char *acl;
    enum config_encryption sse;
    char *sse_kms_key_id;
    bool sse_bucket_key;
    char *tags;                /* NAME=VALUE&NAME=VALUE, not encoded */
    char *content_disposition; /* {name} stands for the file name */
    char *cache_control;
    bool presign; /* no: whoever may see a job may have a URL of its object */
    int64_t presign_max_seconds; /* 3600 */
    char *content_type; /* where the upload named none: application/octet-stream */
    int64_t multipart_threshold;     /* 16M; larger objects go in parts */
    int64_t part_size;               /* 0: by the object's size */
    int64_t part_concurrency;        /* 4; parts of one object at a time */
    int64_t connect_timeout_seconds; /* 10 */
    int64_t stall_timeout_seconds;   /* 30: no byte moved for so long */
    int64_t answer_timeout_seconds;  /* 120: waiting for the answer after the body */
    int64_t max_requests;            /* 256: at once, per worker: worker/flow/flow.h */
    int64_t breaker_failures;        /* 5: in a row, worker/flow/circuit.h; 0: never */
    int64_t breaker_max_seconds;     /* 60: the longest delay between two probes */
    char *ca_file;                   /* PEM; empty: the system's */

    /* Derived from url at load. */
    enum config_scheme scheme;
    char *bucket;  /* s3 */
    char *prefix;  /* s3: without slashes at its ends, may be "" */
    char *dir;     /* file: absolute path */
    char *base;    /* http: url without the slashes at its end */
    char *command; /* command: NAME */
};

/* A program whose standard output is the bytes of jobs: worker/source/source_command.h. */
struct config_command {
    char name[CONFIG_NAME_MAX + 1];
    char *run;             /* a line of words (words.h) */
    int64_t time_limit_ms; /* setting time_limit, 1h */
    int64_t max_bytes;     /* 5G */
    char *type;            /* media type of what it writes; empty: not known */
    bool http;             /* no: POST /v1/jobs may name it */
};

/* What may be fetched for clients, whose jobs name a URL: worker/source/source_url.h. */
struct config_fetch {
    bool enabled;          /* no */
    char *allow, *deny;    /* lists (fetch_filter.h) */
    bool only_allowed;     /* no */
    int64_t max_bytes;     /* 5G */
    int64_t time_limit_ms; /* setting time_limit, 1h */
    int64_t redirects_max; /* 3 */
    char *ca_file;         /* PEM; empty: the system's */

    /* Derived at load. */
    struct fetch_rules rules;
};

/* A job that is made again and again: worker/queue/scheduler.h. */
struct config_schedule {
    char name[CONFIG_NAME_MAX + 1];
    char *queue;       /* default */
    char *to;          /* destinations, likewise; those of the queue */
    int64_t priority;  /* that of the queue */
    char *cron;        /* a line (cron.h); empty: every_ms counts */
    char *time_zone;   /* UTC; of cron */
    int64_t every_ms;  /* setting every; 0: cron counts */
    char *source;      /* command:NAME */
    char *object_name; /* setting name, a template (stamp.h); empty: the schedule's */
    char *key;         /* a template, too; empty: the default key */

    /* Derived at load. */
    struct cron plan;    /* of cron or every */
    const char *command; /* NAME, within source */
};

/* A program that an upload goes through on its way: worker/convert/pipeline.h. */
struct config_converter {
    char name[CONFIG_NAME_MAX + 1];
    char *run;       /* a line of words (words.h) */
    char *type;      /* media type of what it writes; empty: that of what it reads */
    char *extension; /* of the object's default key, ".png"; empty: unchanged */
    int64_t time_limit_ms;       /* setting time_limit, 10m */
    int64_t cpu_seconds;         /* setting cpu_limit, 10m; 0: none */
    int64_t memory_max;          /* bytes of address space, 512M; 0: no limit */
    int64_t processes_max;       /* 64, threads too; 0: no limit */
    int64_t max_bytes;           /* of its output, 5G */
    enum config_sandbox sandbox; /* auto */
};

/* What a client may do; bits.  admin brings the others. */
enum config_scope {
    CONFIG_SCOPE_UPLOAD = 1,
    CONFIG_SCOPE_READ = 2,
    CONFIG_SCOPE_ADMIN = 4,
    CONFIG_SCOPE_METRICS = 8
};

/* A client of the responder: fcgi-app/auth/access.h. */
struct config_auth {
    char name[CONFIG_NAME_MAX + 1]; /* also the owner of its jobs */
    char *token, *token_file;       /* sha256:HEX; as secret_key and its file */
    char *second_token, *second_token_file;
    char *policy_key, *policy_key_file; /* as secret_key and its file: policy.h */
    char *second_policy_key, *second_policy_key_file;
    char *scopes, *queues, *destinations; /* lists */
    int64_t max_bytes;                    /* 0: the queue's alone */
    int64_t requests_per_second;          /* these four: 0: no limit */
    int64_t requests_burst;               /* 0: as many as in a second */
    int64_t bytes_per_day;
    int64_t jobs_in_flight;

    /* Derived at load. */
    unsigned char hashes[2][32]; /* SHA-256 of its tokens; hash_count of them */
    size_t hash_count;           /* 0: in files that are not for this program */
    unsigned scope_bits;         /* enum config_scope */
    uint64_t queue_bits, destination_bits; /* by place in struct config; all: ~0 */
};

struct config_worker {
    char *queues; /* "media, docs", "media:5, docs:1", or "*" for all there are */
    int64_t concurrency;   /* 64, 1..1024 */
    int64_t memory;        /* 256M: parts of streams, 8M.. */
    int64_t bandwidth;     /* bytes a second of all bodies sent; 0: no limit */
    int64_t drain_seconds; /* 30 */
    int64_t lease_ms;      /* 10000, 1000.. */
    char *id;              /* default: host-pid-random, made by the worker */
    char *alive_file;      /* touched while the worker works; empty: none */
    char *metrics_listen;  /* where it answers scrapers (listen_at.h); empty: nowhere */
    char *metrics_file;    /* for node_exporter, ends in .prom; empty: none */
    char *otlp_url;        /* http(s)://, where traces are told; empty: nowhere */
    char *otlp_header;     /* "Name: value" of each such request; empty: none */
    enum log_level log_level;
};

struct config {
    struct config_redis redis;
    struct config_spool spool;
    struct config_http http;
    struct config_worker worker;
    struct config_queue queues[CONFIG_QUEUES_MAX];
    size_t queue_count;
    struct config_destination destinations[CONFIG_DESTINATIONS_MAX];
    size_t destination_count;
    struct config_command commands[CONFIG_COMMANDS_MAX];
    size_t command_count;
    struct config_schedule schedules[CONFIG_SCHEDULES_MAX];
    size_t schedule_count;
    struct config_converter converters[CONFIG_CONVERTERS_MAX];
    size_t converter_count;
    struct config_fetch fetch;
    struct config_auth auths[CONFIG_AUTHS_MAX];
    size_t auth_count;
    struct config_webhook webhooks[CONFIG_WEBHOOKS_MAX];
    size_t webhook_count;
};

/* All zero: it can be released; config_load fills in the defaults. */
void config_init(struct config *c);
void config_release(struct config *c);

/* Read path (NULL: no file, defaults and environment only), apply env (an environ-like list; NULL: none), check.
 * On success what *c held is released, on failure it is kept: a bad file at SIGHUP leaves the old settings.
 * ERR_CONFIG: "hoist.ini:12: [spool] durability: 'disc' is not one of disk, memory", or with "environment HOIST_X" for
 * the place.  ERR_NOMEM. */
MUST_CHECK enum err_code config_load(struct config *c, const char *path,
                                     char *const *env, struct err *e);
/* The same for a program that signs nothing: files with secrets of s3: destinations are not read, and need not be readable. */
MUST_CHECK enum err_code config_load_unsigned(struct config *c, const char *path,
                                              char *const *env, struct err *e);
/* The same from text, name standing for the file in errors; pure but for secret files.  For tests and fuzzing. */
MUST_CHECK enum err_code config_parse(struct config *c, const char *name,
                                      const char *text, char *const *env,
                                      struct err *e);

/* The directory of the spool turned out to be wrong, *e says how: put the place in front of it where [spool] dir was
 * set, as config_load does.  Returns its code. */
enum err_code config_blame_spool(const struct config *c, struct err *e);

const struct config_queue *config_find_queue(const struct config *c, const char *name,
                                             size_t len);
const struct config_destination *config_find_destination(const struct config *c,
                                                         const char *name, size_t len);
const struct config_command *config_find_command(const struct config *c,
                                                 const char *name, size_t len);
const struct config_converter *config_find_converter(const struct config *c,
                                                     const char *name, size_t len);

/* Whether this can be a bearer token: b64token of RFC 6750 section 2.1, at most CONFIG_TOKEN_MAX characters. */
bool config_token_is_well_formed(const char *s, size_t len);

/* The value of a variable in an environ-like list (NULL: an empty one), or NULL; an empty value counts as not set. */
const char *config_env_value(char *const *env, const char *name);

/* An entry of [worker] queues: NAME or NAME:WEIGHT. */
struct config_entry {
    const char *name; /* within the list */
    size_t len;
    int64_t weight; /* 0: none given; -1: not 1 .. CONFIG_WEIGHT_MAX */
};
/* The entry that begins at *list, which then stands behind it.  False: there is none any more. */
bool config_next_entry(const char **list, struct config_entry *ret);

/* The effective settings as an INI file, secrets as "(set)". */
void config_show(const struct config *c, FILE *out);
/* Every setting, commented out, as an INI file with help: deploy/hoist.ini.example, and a part of `--help` and the manual. */
void config_help(FILE *out);

#endif
