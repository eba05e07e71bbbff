/*
 * app: what all handlers share.  Put together by server.c before any thread starts, and not changed after that; each
 * of its parts says itself which threads may use it.
 */
#ifndef HOIST_FCGI_APP_H
#define HOIST_FCGI_APP_H

#include "fcgi-app/upload/body_file.h"
#include "fcgi-app/publish/breaker.h"
#include "fcgi-app/fastcgi/gate.h"
#include "fcgi-app/publish/marks.h"
#include "fcgi-app/publish/publisher.h"
#include "fcgi-app/upload/room.h"
#include "fcgi-app/jobs/waits.h"
#include "shared/config.h"
#include "shared/histogram.h"
#include "shared/redis.h"
#include "shared/spool.h"

struct handlers;
struct listeners;
struct quotas;
struct sniffer;
struct metrics;

struct app {
    const struct config *config;
    struct redis_options redis; /* of a thread's own connection; target is owned */
    struct spool *spool;
    struct gate *gate;
    struct publisher *publisher;
    struct listeners *listeners;
    struct handlers *handlers;
    struct rooms *rooms;
    struct quotas *quotas;
    struct marks *marks;
    struct sniffer *sniffer; /* NULL: nothing is configured that needs it */
    struct waits waits;
    struct body_files bodies;
    struct breaker breaker; /* on what requests ask of Redis */
    struct metrics *metrics;
    struct histogram redis_us; /* round trips, of all threads */
};

/* Fill in app->redis.  ERR_CONFIG: the url is none. */
MUST_CHECK enum err_code app_set_redis(struct app *app, const struct config_redis *c,
                                       struct err *e);

#endif
