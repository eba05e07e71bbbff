/*
 * dest_s3_internal: one upload to S3, shared by the files that do it.
 *
 *     dest_s3.c          the destination; PUT and what its answer leads to
 *     dest_s3_resolve.c  HEAD, and the hash it may need, when PUT's answer does not tell
 *     dest_s3_keys.c     waiting for keys, new ones where those there are were refused
 *     dest_s3_learn.c    what only use shows of a store: its region, whether it honours conditions; the MD5 that goes first
 *     dest_s3_run.c      what all do: send a signed request, deliver the outcome
 *     dest_s3_flow.c     and when they may: turns, what answers say of the store
 *     dest_s3_parts.c    objects above multipart_threshold, by s3_upload.h
 */
#ifndef HOIST_WORKER_DEST_S3_INTERNAL_H
#define HOIST_WORKER_DEST_S3_INTERNAL_H

#include "worker/keys/credentials.h"
#include "worker/s3/dest_s3.h"
#include "worker/flow/membudget.h"
#include "worker/s3/s3_answer.h"
#include "worker/s3/s3_quirks.h"
#include "worker/s3/s3_request.h"
#include "worker/source/spool_hash.h"

#include <stdatomic.h>

/* With the name of the digest. */
#define DEST_S3_CORRUPT "spool corrupt: its %s is not the manifest's"

struct dest_s3 {
    struct destination base;
    uv_loop_t *loop;
    struct http *http;
    struct spool *spool; /* for journals of uploads in parts; NULL: none are kept */
    struct s3_endpoint endpoint;
    struct credentials *credentials;
    struct membudget *budget;
    struct membudget own_budget; /* where none was given */
    /* Learnt from the store. */
    bool conditional;
    bool ignores_condition;      /* takes it and overwrites all the same */
    bool probed;                 /* it was found out whether it does, or is just now */
    int probes;                  /* that told nothing */
    char region[S3_REGION_SIZE]; /* the bucket's; "": the configured one */
    enum config_checksum checksum;
    bool tells_checksum; /* its answers to PUT bring one: no MD5 is needed */
    int64_t skew_s;
};

struct destination_run {
    struct dest_s3 *dest;
    struct destination_work work;
    struct flow_ticket ticket; /* of the request that is, or waits to be, under way */
    void (*send)(struct destination_run *run); /* that request, when it is its turn */
    bool belongs_to_begun;                     /* it goes before what has not begun */
    struct http_call *call;                    /* under way; NULL between */
    bool putting;                              /* it is the PUT */
    struct dest_s3_stream *taking; /* the bytes are a stream's; NULL: those of fd */
    const void *memory;            /* what is put, where it is in no file */
    bool found_earlier; /* done: the object is an earlier attempt's, with other bytes */
    int64_t found_size; /* as HEAD told it; -1: it did not */
    char found_sha256[HTTP_VALUE_SIZE];
    struct spool_hash hash;
    struct s3_checksums sums;
    char md5[DIGEST_MD5_HEX + 1]; /* where it had to be known first; else "" */
    void (*hashed)(struct destination_run *run); /* what is done with it */
    bool moved;          /* the region was another once in this run */
    bool looking;        /* HEAD comes before PUT */
    bool looked;         /* it came before the first PUT without a condition */
    uint64_t generation; /* of the keys that signed the latest request */
    bool refreshed;      /* keys were refused once in this run */
    char refusal[256];   /* what the store said then */
    struct credentials_wait wait;
    void (*then)(struct destination_run *run); /* when there are keys */
    unsigned puts;
    bool was_conditional, was_checksummed; /* the latest PUT */
    bool no_condition, no_checksum;        /* of the next one: the store answered 501 */
    bool taken;                            /* the store said that it has what was put */
    int put_status;
    char put_error[256];
    char etag[HTTP_VALUE_SIZE];
    int64_t sent;
    atomic_bool aborting;
    struct dest_s3_parts *parts; /* it goes in parts; NULL: it does not */
    uv_work_t hashing;
    bool
        is_hashing; /* on the pool, which sees aborting: the run stays until it has ended */
    uv_timer_t later; /* for an outcome known before begin returned */
    struct outcome outcome;
};

/* dest_s3_flow.c */

/* NULL without flows, or memory: nothing holds it up then. */
struct flow *dest_s3_flow_open(struct flows *flows, const struct config_destination *c,
                               const struct s3_endpoint *endpoint);
/* send is called when the store may have the next request, perhaps at once; not at all where it rests, then the run ends.
 * first: flow_ask's. */
void dest_s3_send_in_turn(struct destination_run *run,
                          void (*send)(struct destination_run *run), bool first);
/* The request has ended. */
void dest_s3_tell_flow(struct destination_run *run, const struct http_result *result,
                       const struct s3_answer *a);

/* dest_s3_run.c */

/* What to ask, by what is known of the store now. */
struct s3_ask dest_s3_ask(struct destination_run *run, enum s3_operation operation);
/* The same without a run: key and time; what is learnt of conditions and checksums is not in it. */
struct s3_ask dest_s3_ask_of(struct dest_s3 *d, enum s3_operation operation,
                             const struct job *job);
/* What the store has taught us; logged once. */
void dest_s3_forget_condition(struct dest_s3 *d);
void dest_s3_forget_checksum(struct dest_s3 *d);
void dest_s3_set_skew(struct dest_s3 *d, int64_t skew_s);
/* What the object should be. */
struct s3_expected dest_s3_expected(const struct destination_run *run);
/* Send what was signed; false: no memory. */
bool dest_s3_send(struct destination_run *run, const struct s3_request *signed_,
                  enum s3_operation operation, http_done_fn *done);

/* Hand the outcome over; the run ends.  later: on the next turn of the loop, because begin has not returned yet. */
void dest_s3_deliver(struct destination_run *run);
void dest_s3_deliver_later(struct destination_run *run);
void dest_s3_deliver_done(struct destination_run *run);
void dest_s3_deliver_failure(struct destination_run *run, const struct s3_answer *a);

/* dest_s3_keys.c */

/* Call then once there is something to sign with: now, or on a later turn; where there is nothing the run is given back
 * (outcome.hold_ms). */
void dest_s3_with_keys(struct destination_run *run,
                       void (*then)(struct destination_run *run));
bool dest_s3_can_sign(const struct destination_run *run);
/* False: the answer says nothing against the keys.  Else the run goes on by itself: once with newer keys, by again, or it is
 * given back. */
bool dest_s3_refused(struct destination_run *run, const struct s3_answer *a,
                     void (*again)(struct destination_run *run));
/* For abort: true when it waited for keys; it is then delivered. */
bool dest_s3_stop_waiting(struct destination_run *run);
/* dest_s3.c: make the object that work.job says, from the file or from memory: start, after a look where the store needs one. */
void dest_s3_set_out(struct destination_run *run);

/* dest_s3_learn.c */

/* Those to sign with, in the region where the bucket is. */
struct sigv4_key *dest_s3_key(struct dest_s3 *d);
/* True, once in a run: the answer says that the bucket is in another region, where all requests go from now on. */
bool dest_s3_moved(struct destination_run *run, const struct http_result *result);
/* The same without a run. */
bool dest_s3_follow(struct dest_s3 *d, const struct http_response *r);
/* Whether the store would overwrite an object that somebody else may have under the job's key. */
bool dest_s3_looks_first(const struct dest_s3 *d, const struct job *j);
/* The object is there.  False: nothing is to be found out with it.  Else the PUT is under way once more, and the run is
 * delivered as done whatever becomes of it. */
bool dest_s3_probe(struct destination_run *run);
/* False: no MD5 is to be sent.  Else it is computed, and `then` called, or the run ends. */
bool dest_s3_hash_first(struct destination_run *run,
                        void (*then)(struct destination_run *run));

/* dest_s3.c: send the bytes when it is their turn. */
void dest_s3_start(struct destination_run *run);

/* dest_s3_resolve.c: find out by HEAD what the store holds, and deliver. */
void dest_s3_resolve(struct destination_run *run);

#endif
