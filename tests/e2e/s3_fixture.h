/*
 * s3_fixture: s3rver, an S3 server that nobody here wrote, behind Amazon's own signer, which checks signatures (see
 * node/s3server.js), private to one test.
 *
 * Access key and secret key are "S3RVER"; there is one bucket, "uploads".  Objects are read where it keeps them, on disk.
 */
#ifndef HOIST_TESTS_E2E_S3_FIXTURE_H
#define HOIST_TESTS_E2E_S3_FIXTURE_H

#include "tests/support/spawn.h"

#include <stddef.h>

struct s3_fixture {
    struct spawn server;
    char dir[128]; /* what it stores */
    int port;
    int stdin_fd; /* it ends when this is closed */
};

/* Start below dir; asserts that it came up. */
void s3_fixture_start(struct s3_fixture *f, const char *dir);
void s3_fixture_stop(struct s3_fixture *f);

/* INI text of a [destination default] that uploads there, with this secret. */
void s3_fixture_conf(const struct s3_fixture *f, const char *prefix, const char *secret,
                     char *ret, size_t size);
/* Path of the file that holds an object's bytes, and of the one with its metadata (JSON). */
void s3_fixture_object(const struct s3_fixture *f, const char *key, char ret_path[256],
                       char ret_meta_path[256]);

#endif
