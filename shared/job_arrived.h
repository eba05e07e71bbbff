/*
 * job_arrived: of a job with several destinations, those it has arrived at, each with its address.  Pure.
 *
 *     Redis hash       arrived.s3-main = s3://bucket/key        one field for each
 *     for a script     "s3-main\ns3://bucket/key\n…"            packed, behind each other (queue.h)
 *     status answer    "results":[{"to":"s3-main","url":"s3://bucket/key"},…]
 */
#ifndef HOIST_SHARED_JOB_ARRIVED_H
#define HOIST_SHARED_JOB_ARRIVED_H

#include "shared/job.h"

/* Room for all, packed. */
enum {
    JOB_ARRIVED_PACKED_MAX = JOB_ARRIVED_MAX * (TO_NAME_MAX + JOB_ARRIVED_URL_MAX + 2)
};

/* ERR_REJECT: no name of a destination, one that stands there, more than JOB_ARRIVED_MAX, or a url that is no plain text of up
 * to JOB_ARRIVED_URL_MAX bytes; "" is one that is not known. */
MUST_CHECK enum err_code job_add_arrived(struct job *j, const char *name,
                                         const char *url, size_t url_len,
                                         struct err *e);
/* NULL: it has not arrived there. */
const struct job_arrived *job_find_arrived(const struct job *j, const char *name);

/* Append one to what is packed.  A url that would not be taken back is left out.  False: no room. */
bool job_pack_arrived(struct buf *b, const char *name, const char *url);

/* Whether a record takes this as the address of an object: plain text of 1 to JOB_ARRIVED_URL_MAX bytes. */
bool job_is_address(const char *s, size_t len);

/* ,"results":[…], or nothing. */
void job_add_results(struct buf *b, const struct job *j);

/* For job.c. */
void job_release_arrived(struct job *j);
bool job_copy_arrived(const struct job *src, struct job *ret); /* false: no memory */

#endif
