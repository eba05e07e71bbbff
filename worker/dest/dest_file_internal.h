/*
 * dest_file_internal: what dest_file*.c share.  Only they include it.
 */
#ifndef HOIST_WORKER_DEST_FILE_INTERNAL_H
#define HOIST_WORKER_DEST_FILE_INTERNAL_H

#include "worker/dest/dest_file.h"
#include "worker/source/stream.h"

enum { DEST_FILE_CHUNK = 128 * 1024 };

struct dest_file {
    struct destination base;
    uv_loop_t *loop;
    bool named;
};

/* One object under way, on the pool's thread. */
struct dest_file_copy {
    struct destination_run *run;
    const struct job *job;
    int root_fd;      /* of the destination */
    int dir_fd;       /* directory of the object */
    int out_fd;       /* what will become the object */
    const char *name; /* of the object in dir_fd */
    char temporary[ID_UUID_LEN + 8];
    bool is_named; /* out_fd has the name `temporary` */
    char *chunk;   /* DEST_FILE_CHUNK bytes */
    int64_t
        size; /* of what the object must hold; of what it holds, where any will do */
    char sha256[DIGEST_SHA256_HEX + 1]; /* of the same */
    bool takes_any; /* what is there under its name is the object, whatever its bytes */
};

struct destination_run {
    uv_work_t request;
    struct dest_file *dest;
    struct destination_work work;
    struct outcome outcome; /* the pool's thread until it ends, then the loop's */
    atomic_bool stop;
    _Atomic int64_t sent;
    struct dest_file_stream *stream; /* NULL: work.fd is copied */
};

/* --- dest_file_copy.c, on the pool --- */

void dest_file_copy_init(struct dest_file_copy *c, struct destination_run *run);
/* Close what is open, remove what has no name to stay. */
void dest_file_copy_release(struct dest_file_copy *c);

/* Open the destination's directory. */
MUST_CHECK enum err_code dest_file_open_root(struct dest_file_copy *c, struct err *e);
/* Make the object's directory; see whether the object is there already. */
MUST_CHECK enum err_code dest_file_find(struct dest_file_copy *c, bool *ret_there,
                                        struct err *e);
/* The same, and nothing is made. */
MUST_CHECK enum err_code dest_file_look(struct dest_file_copy *c, bool *ret_there,
                                        struct err *e);
/* Open what will become the object. */
MUST_CHECK enum err_code dest_file_open_output(struct dest_file_copy *c, struct err *e);
MUST_CHECK enum err_code dest_file_write(int fd, const char *data, size_t len,
                                         struct err *e);
/* Make it the object.  size and sha256 are known. */
MUST_CHECK enum err_code dest_file_publish(struct dest_file_copy *c, struct err *e);
/* Copy the job's file and make it the object, unless that is there. */
MUST_CHECK enum err_code dest_file_copy_spooled(struct dest_file_copy *c,
                                                struct err *e);

bool dest_file_is_stopped(const struct destination_run *run);
/* The outcome of a run: *e is a failure, NULL none; there: the object is. */
void dest_file_conclude(struct dest_file_copy *c, bool there, const struct err *e);

/* --- dest_file_stream.c --- */

/* Take run->work.stream.  False: no memory, nothing was begun. */
bool dest_file_stream_begin(struct destination_run *run);
void dest_file_stream_abort(struct destination_run *run);

#endif
