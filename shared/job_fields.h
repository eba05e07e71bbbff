/*
 * job_fields: the one table of what a job record holds.  The Redis hash, the manifest, the status answer, copying,
 * releasing and checking all walk it; a field added to struct job is one more line here.
 *
 * Only job*.c includes this.  Not in the table: the id (in Redis it is the key) and meta (many entries).
 */
#ifndef HOIST_SHARED_JOB_FIELDS_H
#define HOIST_SHARED_JOB_FIELDS_H

#include "shared/job.h"

enum job_kind {
    JOB_KIND_INT,   /* int64_t; 0 is a value like others */
    JOB_KIND_TIME,  /* int64_t, ms; 0 is "not set"; RFC 3339 in the status answer */
    JOB_KIND_TEXT,  /* char *, refused unless is_valid */
    JOB_KIND_NOTE,  /* char *, what other machines said: made harmless, not refused */
    JOB_KIND_FLAG,  /* bool, "1" or "0" */
    JOB_KIND_STATE, /* enum job_state as its word */
};

enum {
    JOB_ASKED = 1,    /* set once, stands in the manifest and in what enqueue stores */
    JOB_SCRIPT = 2,   /* asked for, but in Redis only the scripts write it */
    JOB_REQUIRED = 4, /* a record without it is impossible */
    JOB_OPTIONAL = 8, /* a number that is not written when it is 0 */
    JOB_FETCHED = 16, /* of another source than the spool: known only when it is done */
};

struct job_field {
    const char *name;   /* in Redis and in the manifest */
    const char *status; /* in the status answer; NULL: not for clients */
    enum job_kind kind;
    unsigned flags;
    size_t offset;    /* in struct job */
    int64_t min, max; /* of the number, or of the text's length in bytes */
    bool (*is_valid)(const char *s, size_t len); /* of text within these bounds */
};

extern const struct job_field job_fields[];
/* At most 64: one bit each in struct job's `seen`. */
extern const size_t job_field_count;

/* The field of that name, or NULL. */
const struct job_field *job_field_find(const char *name);

/* Where the field lives, and what it holds (NULL: not set). */
const int64_t *job_field_int(const struct job *j, const struct job_field *f);
const char *job_field_text(const struct job *j, const struct job_field *f);

/* Whether there is something to write: text that is not NULL, a time, flag or optional number that is not 0, any other
 * number. */
bool job_field_is_set(const struct job *j, const struct job_field *f);

/* Whether a record of this job is impossible without the field. */
bool job_field_is_required(const struct job *j, const struct job_field *f);

/* Check, and store a copy of, a value.  ERR_REJECT names the field; j is then unchanged. */
MUST_CHECK enum err_code job_field_set_int(struct job *j, const struct job_field *f,
                                           int64_t n, struct err *e);
MUST_CHECK enum err_code job_field_set_text(struct job *j, const struct job_field *f,
                                            const char *s, size_t len, struct err *e);

/* Check the value that stands there. */
MUST_CHECK enum err_code job_field_check(const struct job *j, const struct job_field *f,
                                         struct err *e);

/* Remember that f was met.  False when it had been met before. */
bool job_field_mark(struct job *j, const struct job_field *f);

/* --- job_text.c: pure rules about text --- */

struct job_text {
    const char *s;
    size_t len;
};

enum {
    JOB_TYPE_MAX = 255,
    JOB_META_NAME_MAX = 64,
    JOB_URL_MAX = 4096,
    JOB_ETAG_MAX = 256
};

bool job_text_is_plain(const char *s, size_t len);  /* UTF-8, no control characters */
bool job_text_is_word(const char *s, size_t len);   /* [A-Za-z0-9][A-Za-z0-9._-]* */
bool job_text_is_hex(const char *s, size_t len);    /* lower-case hex digits */
bool job_text_is_source(const char *s, size_t len); /* spool, url, command:NAME */
bool job_text_is_names(const char *s, size_t len);  /* id_is_queue, commas between */
bool job_text_is_type(const char *s, size_t len);   /* RFC 9110 section 8.3.1 */
bool job_text_is_name(const char *s, size_t len);   /* what job_text_clean_name gives */
bool job_text_is_graphic(const char *s, size_t len); /* ASCII, no space */
bool job_text_is_one_of(const char *s, size_t len, const char *a, const char *b);
bool job_text_is_meta_name(const char *s, size_t len);

/* A heap copy of at most max bytes: invalid UTF-8 as U+FFFD, control and bidirectional control characters as '_', cut
 * between characters.  NULL: no memory. */
char *job_text_clean(const char *s, size_t len, size_t max);
/* The file name rule of job_set_name.  NULL: no memory. */
char *job_text_clean_name(const char *s, size_t len);

#endif
