/*
 * credentials_source: which of the places a destination's keys are from, and those that are read without asking anybody:
 * the configuration, the environment, a file.  Private to credentials*.c.
 *
 *     auto:  access_key --> environment --> a file that is there --> web identity --> container --> IMDS
 *
 * Files are looked at (stat) and read again when they have changed; what systemd, Kubernetes or a person puts in their place
 * by rename is seen.  Reading blocks: these are small local files.
 */
#ifndef HOIST_WORKER_CREDENTIALS_SOURCE_H
#define HOIST_WORKER_CREDENTIALS_SOURCE_H

#include "shared/config.h"
#include "worker/keys/keys.h"

#include <stdbool.h>
#include <sys/stat.h>

enum { CREDENTIALS_FILES = 2 };

struct credentials_source {
    const struct config_destination *config;
    char *const *env;
    enum config_credentials kind;        /* never CONFIG_KEYS_AUTO */
    char *path;                          /* of FILE; owned */
    struct stat seen[CREDENTIALS_FILES]; /* of the files that were read; zero: none */
};

/* config and env outlive it.  ERR_CONFIG: what the kind needs is not set; *ret can be released all the same.  ERR_NOMEM. */
MUST_CHECK enum err_code
credentials_source_init(struct credentials_source *ret,
                        const struct config_destination *config, char *const *env,
                        struct err *e);
void credentials_source_release(struct credentials_source *s);

/* "config" ... "web_identity". */
const char *credentials_source_name(const struct credentials_source *s);
/* It is read here; else it is asked for over HTTP. */
bool credentials_source_is_local(const struct credentials_source *s);

/* Of a local one: a file differs from what was read. */
bool credentials_source_changed(const struct credentials_source *s);
/* Read it.  ERR_CONFIG or ERR_REJECT: it cannot be used as it is now. */
MUST_CHECK enum err_code credentials_source_read(struct credentials_source *s,
                                                 struct keys *ret, struct err *e);

#endif
