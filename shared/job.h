/*
 * job: the record of one upload on its way, and the states it goes through.
 *
 *                      due in the future
 *     accepted ------------------------------> scheduled
 *        |                                      |    ^
 *        v            promote (due)             |    |  fail: retry later
 *     waiting <---------------------------------'    |
 *        |  claim + start                            |
 *        v                                           |
 *     running ---------------------------------------'
 *        |   \----> waiting      release (drain), reap (its worker died)
 *        |   \----> dead         attempts or crashes used up, or an error that no retry can mend; bytes kept
 *        v   \----> cancelled
 *      done                      dead --retry--> waiting        waiting, scheduled, dead --cancel--> cancelled
 *
 * `accepted` is what a status answer says of a job that is on disk and that Redis does not know yet or cannot be asked
 * about now: the manifest is all that is known, the job may be further.  It never stands in Redis.
 *
 * One struct, three text forms, all from one table of fields (job_fields.h):
 *   - a Redis hash (HSET name value ...): every field that is set, as readable text (`HGETALL` shows it to people);
 *   - the manifest, spool/jobs/<id>.json or the first line of <id>.job: what was asked for (JOB_ASKED), with a checksum of itself;
 *   - the status answer: a JSON object for the client, without worker, token, lease or file-system detail.
 *
 * Records that come back from Redis or disk are untrusted: decoding checks every field (type, range, length,
 * alphabet) and says which one is wrong.  Unknown fields of a hash are ignored (a newer version may have written
 * them); unknown fields of a manifest are kept out and ignored too.  A record of a newer version `v` is refused.
 *
 * Where the bytes are from:
 *
 *     source           its bytes                               manifest                     size and digests
 *     spool            <id>.data or .job, uploaded             always                       from the beginning
 *     url              what source_url gives when it runs      always: accepted over HTTP   once it is done
 *     command:NAME     what a configured command writes then   of those accepted over HTTP  once it is done
 *     hook             its payload, a webhook's body           always: a worker makes it    never
 *
 * A job that a schedule made has no manifest: its schedule makes it again (worker/queue/scheduler.h).
 *
 * Strings are heap copies owned by the struct; NULL means "not set".  Times are ms since the epoch (UTC), 0 means
 * "not set".  job_release frees all and leaves JOB_INIT.  A struct job belongs to one thread.
 */
#ifndef HOIST_SHARED_JOB_H
#define HOIST_SHARED_JOB_H

#include "shared/buf.h"
#include "shared/cleanup.h"
#include "shared/err.h"
#include "shared/id.h"
#include "shared/to_list.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    JOB_VERSION = 1,
    JOB_PRIORITY_MAX = 9,  /* 0 runs first */
    JOB_META_MAX = 16,     /* entries */
    JOB_META_BYTES = 2048, /* names and values together: as much as S3 takes */
    JOB_NAME_MAX = 255,    /* bytes of a sanitised file name */
    JOB_KEY_MAX = 1024,    /* bytes of an object key (S3's limit) */
    JOB_TRIES_BYTES_MAX = 16 * 1024,
    JOB_ERROR_MAX = 4352, /* 4 KiB that a command wrote, and what we say of it */
    JOB_SOURCE_MAX = 40,
    JOB_ARRIVED_MAX = TO_LIST_MAX,
    JOB_ARRIVED_URL_MAX = 2048,
    JOB_CONVERT_MAX = 8, /* converters of one job */
    JOB_CONVERT_TEXT_MAX = JOB_CONVERT_MAX * (ID_QUEUE_MAX + 1) - 1, /* their names */
    JOB_GROUP_MAX = 64,   /* bytes of a group's name */
    JOB_UNIQUE_MAX = 128, /* bytes of a unique key */
    JOB_HOOKS_MAX = 16,   /* webhooks of one job */
    JOB_HOOKS_TEXT_MAX = JOB_HOOKS_MAX * (ID_QUEUE_MAX + 1) - 1, /* their names */
    JOB_PAYLOAD_MAX =
        12 * 1024, /* bytes of a webhook's body; a manifest has it quoted */
    JOB_REQUEST_ID_MAX = 128,
    JOB_TRACEPARENT_MIN = 55, /* of version 00 */
    JOB_TRACEPARENT_MAX = 128,
    JOB_TRACESTATE_MAX = 512,
    JOB_RECORD_MAX = 32 * 1024 /* bytes of any text form of a record within them */
};

enum job_state {
    JOB_ACCEPTED,
    JOB_WAITING,
    JOB_SCHEDULED,
    JOB_RUNNING,
    JOB_DONE,
    JOB_DEAD,
    JOB_CANCELLED
};

struct job_meta {
    char *name;  /* [a-z0-9][a-z0-9_-]{0,63}, lower case */
    char *value; /* UTF-8 without control characters */
};

/* One of several destinations that has the job. */
struct job_arrived {
    char to[TO_NAME_MAX + 1];
    char *url; /* "": not known */
};

struct job {
    /* What was asked for: set once, kept in the manifest. */
    struct job_id id;
    int64_t v;            /* record version, JOB_VERSION */
    int64_t created;      /* ms */
    int64_t due;          /* ms; not before; 0 = at once */
    int64_t priority;     /* 0 .. 9 */
    int64_t max_attempts; /* 1 .. 1000 */
    int64_t size;         /* bytes of the upload; field `bytes` in Redis */
    char *source; /* where the bytes are from: "spool", "url", "hook", "command:NAME" */
    char *source_url; /* of "url": the whole of it (url.h); it may carry a signature */
    char *sha256;     /* of the bytes, 64 hex digits */
    char *crc32c;     /* of them, 8 hex digits; old jobs and commands have none */
    char *schedule;   /* name of the schedule that made it */
    char *name;       /* file name as sanitised metadata; never a path */
    char *type;       /* media type as the client said: type/subtype[; parameters] */
    char *to;         /* configured destinations, as to_list.h writes them */
    char *convert;    /* names of converters, "a,b", that its bytes go through */
    char *batch;      /* UUIDv7, one for all jobs of a request; old records have none */
    char *key;        /* object key below the destination's prefix; job_key_is_safe */
    char *group;      /* one after the other within it: [A-Za-z0-9][A-Za-z0-9._-]* */
    char *after;      /* uuid of a job of the same queue that must end first */
    char *
        after_failure; /* when that one ends dead or cancelled: "run"; else cancelled too */
    char *unique;      /* no other job with this key while it is held: graphic ASCII */
    char *unique_until; /* "start": held while it waits; else until it has ended */
    int64_t unique_ms;  /* held so much longer after `done` */
    char *owner;        /* name of the [auth] section that made it; NULL: nobody's */
    char *policy;       /* id of the signed policy that it came with; NULL: none */

    /* Of webhooks (webhooks.h). */
    char *
        callback; /* URL that its client wants to be called; of a hook: that is called */
    char *hooks;  /* names of configured ones that are told of its end, "a,b" */
    char
        *hook; /* of source "hook", which tells of another job: its event, "done" ... */
    char *payload; /* then: what is sent; `to` names the [webhook], `name` the job */
    char *
        batch_callback; /* URL that is told of the end of its batch, which was opened with it */

    /* Of a batch that its client named while Redis could not say whose that is. */
    int64_t batch_unchecked; /* 1: the queue is to find out (queue.h) */
    char *batch_refused;     /* it was another's: that one, and the job is in none */

    /* Of the request that made it. */
    char *idempotency; /* SHA-256 of its owner and Idempotency-Key: names spool/keys/ */
    char *request_id;  /* that the client gave: graphic ASCII */
    char *traceparent; /* W3C Trace Context: checked, passed on as they came */
    char *tracestate;

    struct job_meta meta[JOB_META_MAX];
    size_t meta_count;

    /* What became of it: only in Redis. */
    enum job_state state;
    int64_t seq;      /* place in the queue */
    int64_t attempts; /* starts so far */
    int64_t crashes;  /* leases that ran out under a worker that had started it */
    int64_t sent;     /* bytes of the upload that have left */
    char *phase;  /* while it runs: queued, reading, converting, uploading, finishing */
    int64_t rate; /* then: bytes a second, of the last seconds */
    int64_t parts, parts_done; /* then, of an upload in parts; 0: it has none */
    int64_t started;           /* ms, of the latest attempt */
    int64_t ended;             /* ms */
    bool cancel;               /* asked to stop while running */
    char *worker;              /* id of the worker that has it */
    char *url;                 /* where the object is, once done */
    char *etag;                /* as the store gave it */
    int64_t out_bytes;         /* of what converters made of it, once done */
    char *out_sha256;          /* of the same */
    char *sandbox;     /* what held its converters: "landlock,seccomp", or "none" */
    char *error;       /* the latest failure, for people */
    char *error_class; /* the latest failure, one word */
    char *tries;       /* the attempts that have failed: job_tries.h */

    struct job_arrived arrived[JOB_ARRIVED_MAX]; /* job_arrived.h */
    size_t arrived_count;

    uint64_t seen; /* fields job_decode_field has met, for job_check; else 0 */
};

#define JOB_INIT                                                                       \
    {                                                                                  \
        .v = JOB_VERSION                                                               \
    }

void job_release(struct job *j);
/* Copy src into *ret (which must be JOB_INIT).  ERR_NOMEM leaves *ret released. */
MUST_CHECK enum err_code job_copy(const struct job *src, struct job *ret,
                                  struct err *e);

/* Whether its bytes are in the spool: all of the record is known from the beginning.  Of others size and sha256 are 0 and
 * NULL until they have arrived. */
bool job_is_spooled(const struct job *j);
/* Its source_url when the source is "url"; else NULL. */
const char *job_source_url(const struct job *j);
/* Whether it delivers a webhook: its source is "hook". */
bool job_is_hook(const struct job *j);
/* NAME when the source is "command:NAME"; else NULL. */
const char *job_source_command(const struct job *j);

/* States as words ("waiting"), as they stand in Redis and in answers. */
const char *job_state_name(enum job_state state);
bool job_state_parse(const char *word, size_t len, enum job_state *ret_state);
/* done, dead or cancelled: nothing more happens by itself. */
bool job_state_is_final(enum job_state state);
/* Whether the drawing above has that arrow. */
bool job_state_can_follow(enum job_state from, enum job_state to);

/* Setters that check what they are given (ERR_REJECT names field and reason) and copy it. */
MUST_CHECK enum err_code job_set_key(struct job *j, const char *s, size_t len,
                                     struct err *e);
MUST_CHECK enum err_code job_set_type(struct job *j, const char *s, size_t len,
                                      struct err *e);
MUST_CHECK enum err_code job_add_meta(struct job *j, const char *name, size_t name_len,
                                      const char *value, size_t value_len,
                                      struct err *e);
/* The file name as metadata: the part after the last / or \, invalid UTF-8 as U+FFFD, control and bidirectional
 * control characters as '_', at most JOB_NAME_MAX bytes cut between characters, never empty, "." or "..": those are
 * "file".  Never fails but for memory. */
MUST_CHECK enum err_code job_set_name(struct job *j, const char *s, size_t len,
                                      struct err *e);

/* A key is relative, 1..JOB_KEY_MAX bytes of [A-Za-z0-9/_.=+@,()!' -], no empty, "." or ".." segment, no leading or
 * trailing '/', no segment over 255 bytes. */
bool job_key_is_safe(const char *s, size_t len);
/* "<uuid>" plus the extension of name where that is .[A-Za-z0-9]{1,8} (lower-cased): the key of a job that asked
 * for none.  ret_key holds at least ID_UUID_LEN + 10 bytes. */
void job_default_key(const struct job *j, char ret_key[static ID_UUID_LEN + 10]);

/* Redis hash: call emit(name, value, ctx) for each field of the asked-for part that is set (what enqueue stores;
 * state, seq and due are the script's).  meta goes as "meta.NAME".  What most jobs have is left out, for the sake of
 * Redis' memory: version 1, source "spool", priority 0, the default key. */
typedef void job_emit_fn(const char *name, const char *value, void *ctx);
void job_encode_hash(const struct job *j, job_emit_fn *emit, void *ctx);

/* One field of a hash that came back; fields may come in any order.  ERR_REJECT: this field is impossible (the text
 * names it).  After the last one call job_decode_rest, then job_check. */
MUST_CHECK enum err_code job_decode_field(struct job *j, const char *name,
                                          const char *value, size_t value_len,
                                          struct err *e);
/* Fill in what job_encode_hash leaves out.  ERR_NOMEM. */
MUST_CHECK enum err_code job_decode_rest(struct job *j, struct err *e);
/* What no single field shows: required fields are there, version known, sizes, states and sources fit together. */
MUST_CHECK enum err_code job_check(const struct job *j, struct err *e);

/* Manifest text, one line of JSON; its last member "checksum" is the SHA-256 of all bytes before it. */
MUST_CHECK enum err_code job_encode_manifest(const struct job *j, struct buf *ret_text,
                                             struct err *e);
/* ERR_REJECT: not a manifest of ours, damaged, of a newer version, or a field is impossible. */
MUST_CHECK enum err_code job_decode_manifest(const char *text, size_t len,
                                             struct job *ret_job, struct err *e);

/* Append the status object, see design section 2: {"id":…,"queue":…,"batch":…,"name":…,"type":…,"size":N,"sha256":…,"crc32c":…,
 * "state":…,"priority":N,"attempts":N,"max_attempts":N,"sent":N,"to":…,"key":…,"created":"RFC 3339",…,"url":"/v1/jobs/…"}.
 * Members that are not set are left out; "results":[{"to":…,"url":…}] tells which of several destinations have it; "result":{"url":…,"etag":…} once done, with "size" and "sha256" of what converters made; "error":{"class":…,"text":…} when the
 * latest attempt failed; "cancelling":true while a running job is asked to stop.  False when the buf is full. */
bool job_add_status(struct buf *b, const struct job *j);

/* Where anybody can read the object for a while. */
struct job_link {
    const char *url;
    int64_t expires_ms;
};
/* The same of a job that is done, with "presigned_url" and "expires" in its result. */
bool job_add_status_linked(struct buf *b, const struct job *j,
                           const struct job_link *link);

#endif
