/*
 * ledger: what clients were told, and whether it is true.
 *
 * The name of an upload is its key and says which run it is of ("r12-3"), and its bytes are made from its name, so that
 * whatever turns up in the spool or among the objects can be told and compared.
 *
 *     told            kept, after a clean program has taken over
 *     202             must be there, whole; not there when its DELETE was answered 2xx; either when that answer is lost
 *     refused         must not be there
 *     no answer       there whole, or not at all
 */
#ifndef HOIST_TESTS_TORTURE_LEDGER_H
#define HOIST_TESTS_TORTURE_LEDGER_H

#include "tests/torture/rig.h"

enum { LEDGER_MAX = 2048, UPLOAD_NAME = 24, UPLOAD_SIZE_MAX = 100000 };

enum told { TOLD_NOTHING, TOLD_ACCEPTED, TOLD_REFUSED };

struct upload {
    char name[UPLOAD_NAME];
    size_t size;
    enum told told;   /* of the upload */
    enum told cancel; /* of its DELETE */
    bool cancel_sent;
    bool may_be_dead; /* its job may end dead; then its bytes stay in the spool */
    bool in_s3; /* its object is in rig->s3, else in <dir>/objects or <dir>/late */
    struct job_id id; /* queue "": not known */
};

struct ledger {
    struct upload uploads[LEDGER_MAX];
    size_t count;
};

/* A new one; its bytes come from upload_fill, into UPLOAD_SIZE_MAX bytes. */
struct upload *ledger_add(struct ledger *l, int run, size_t size);
void upload_fill(const struct upload *u, char *ret);

/* The spool holds whole what was accepted, and nothing that was refused; how many rules are broken, which is printed.
 * A program may still be writing. */
int ledger_check_spool(const struct ledger *l, struct rig *rig);
/* The same of the objects, when all has ended: every one is some upload's that may be there. */
int ledger_check_objects(const struct ledger *l, struct rig *rig);

#endif
