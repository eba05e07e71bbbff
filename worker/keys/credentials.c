#include "worker/keys/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/log_limit.h"
#include "worker/keys/credentials_fetch.h"

enum {
    LOOK_MS = 1000, /* at files, that often */
    CLEARED_MS = 60 * 1000
};

/* A pause that doubles each time. */
struct rest {
    int64_t step_ms;  /* the latest; 0: none since things went well */
    int64_t until_ms; /* monotonic */
};

struct credentials {
    struct credentials_options o;
    struct credentials_source source;
    struct err source_error; /* of a source that cannot be used as it is configured */
    struct credentials_fetch fetch;
    struct keys keys;
    bool has_keys;
    int64_t renew_ms;  /* wall time: others are asked for from then on */
    int64_t looked_ms; /* at the files */
    uint64_t generation;
    struct sigv4_key key; /* of keys */
    uint64_t doubted;     /* the generation that was refused last; 0: none */
    uint64_t cleared;     /* that was refused, and then taken */
    int64_t accepted_ms;
    struct credentials_wait *waiting;
    struct rest failing; /* of the source */
    struct rest refused; /* by the store */
    char error[256];
    struct log_limit said;
    uv_timer_t later; /* tells those who wait */
    bool closing, timer_closed;
};

static int64_t random_below(int64_t limit)
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint64_t)clock_mono_us(); /* jitter need not be secret */
    return limit > 0 ? (int64_t)(random % (uint64_t)limit) : 0;
}

/* --- pauses --- */

static int64_t rest_left_ms(const struct rest *r)
{
    int64_t left = r->until_ms - clock_mono_ms();

    return left > 0 ? left : 0;
}

/* The next, longer one; while one lasts nothing happens: many come at once. */
static bool rest_begin(struct rest *r)
{
    if (rest_left_ms(r) > 0)
        return false;
    r->step_ms = r->step_ms ? r->step_ms * 2 : CREDENTIALS_PAUSE_MS;
    if (r->step_ms > CREDENTIALS_PAUSE_MAX_MS)
        r->step_ms = CREDENTIALS_PAUSE_MAX_MS;
    r->until_ms = clock_mono_ms() + r->step_ms;
    return true;
}

static void say(struct credentials *c, const char *what)
{
    int64_t held;

    if (log_limit_passes(&c->said, c->error, clock_mono_ms(), &held))
        log_warn("credentials", what, LOG_STR("destination", c->o.config->name),
                 LOG_STR("source", credentials_source_name(&c->source)),
                 LOG_STR("error", c->error), log_limit_held(held));
}

static void set_error(struct credentials *c, const char *text)
{
    (void)snprintf(c->error, sizeof c->error, "%s", text);
}

/* The source brought nothing. */
static void fail(struct credentials *c, const struct err *e)
{
    set_error(c, e->text);
    (void)rest_begin(&c->failing);
    say(c, c->has_keys ? "no newer keys" : "no keys: its uploads wait");
}

/* --- keys --- */

static int64_t renew_at(const struct keys *k)
{
    int64_t now = clock_wall_ms(), life = k->expires_ms - now;

    if (k->expires_ms == KEYS_FOREVER)
        return KEYS_FOREVER;
    int64_t ahead = life / 2 < CREDENTIALS_AHEAD_MS ? life / 2 : CREDENTIALS_AHEAD_MS;
    return k->expires_ms - ahead - random_below(ahead / 5);
}

/* The same, whenever they expire. */
static bool is_same(const struct keys *a, const struct keys *b)
{
    return strcmp(a->access_key, b->access_key) == 0 &&
           strcmp(a->secret_key, b->secret_key) == 0 &&
           strcmp(a->session_token, b->session_token) == 0;
}

static void take(struct credentials *c, const struct keys *k)
{
    c->failing = (struct rest){.step_ms = 0};
    c->renew_ms = renew_at(k);
    if (c->has_keys && is_same(&c->keys, k)) {
        c->keys.expires_ms = k->expires_ms;
        return;
    }
    if (c->has_keys)
        log_info("credentials", "new keys", LOG_STR("destination", c->o.config->name),
                 LOG_STR("source", credentials_source_name(&c->source)));
    c->keys = *k;
    c->has_keys = true;
    c->generation++;
    c->refused = (struct rest){.step_ms = 0}; /* it may take these */
    sigv4_key_wipe(&c->key);
    c->key = (struct sigv4_key){.access_key = c->keys.access_key,
                                .secret_key = c->keys.secret_key,
                                .session_token = c->keys.session_token,
                                .region = c->o.config->region,
                                .service = "s3"};
}

static bool is_valid(const struct credentials *c)
{
    return c->has_keys && c->keys.expires_ms > clock_wall_ms();
}

/* --- telling those who wait --- */

static void tell(struct credentials *c)
{
    struct credentials_wait *list = c->waiting; /* who comes meanwhile is not in it */

    c->waiting = NULL;
    if (list)
        list->link = &list;
    for (struct credentials_wait *w; (w = list);) {
        credentials_forget(w);
        w->done(w->ctx);
    }
}

static void on_later(uv_timer_t *timer)
{
    struct credentials *c = timer->data;

    if (!credentials_fetch_is_under_way(&c->fetch))
        tell(c);
}

static void tell_later(struct credentials *c)
{
    (void)uv_timer_start(&c->later, on_later, 0, 0); /* cannot fail */
}

/* --- getting them --- */

static void read_source(struct credentials *c)
{
    struct keys k = {.expires_ms = 0};
    struct err e = ERR_INIT;

    c->looked_ms = clock_mono_ms();
    if (credentials_source_read(&c->source, &k, &e) == ERR_OK)
        take(c, &k);
    else
        fail(c, &e);
    keys_wipe(&k);
}

/* Files are looked at once a second, however often somebody signs. */
static void look_at_source(struct credentials *c)
{
    int64_t now = clock_mono_ms();

    if (c->has_keys && now - c->looked_ms < LOOK_MS)
        return;
    c->looked_ms = now;
    if (credentials_source_changed(&c->source) ||
        (!c->has_keys && rest_left_ms(&c->failing) == 0))
        read_source(c);
}

static void free_when_closed(struct credentials *c)
{
    if (!c->closing || !c->timer_closed || credentials_fetch_is_under_way(&c->fetch))
        return;
    credentials_fetch_release(&c->fetch);
    credentials_source_release(&c->source);
    keys_wipe(&c->keys);
    sigv4_key_wipe(&c->key);
    free(c);
}

static void on_fetched(const struct keys *keys, const struct err *e, void *ctx)
{
    struct credentials *c = ctx;

    if (c->closing) {
        free_when_closed(c);
        return;
    }
    if (keys)
        take(c, keys);
    else
        fail(c, e);
    tell(c);
}

static void fetch(struct credentials *c)
{
    struct err e = ERR_INIT;

    if (credentials_fetch_is_under_way(&c->fetch) || rest_left_ms(&c->failing) > 0)
        return;
    if (credentials_fetch_begin(&c->fetch, &e) != ERR_OK)
        fail(c, &e);
}

/* What is due: a look at files, or a request for new keys. */
static void refresh(struct credentials *c)
{
    if (c->source_error.code != ERR_OK) {
        if (rest_left_ms(&c->failing) == 0)
            fail(c, &c->source_error);
    } else if (credentials_source_is_local(&c->source)) {
        look_at_source(c);
    } else if (!c->has_keys || clock_wall_ms() >= c->renew_ms) {
        fetch(c);
    }
}

/* --- the interface --- */

struct sigv4_key *credentials_key(struct credentials *c)
{
    refresh(c);
    return is_valid(c) ? &c->key : NULL;
}

uint64_t credentials_generation(const struct credentials *c)
{
    return c->generation;
}

void credentials_await(struct credentials *c, struct credentials_wait *w)
{
    refresh(c);
    w->next = c->waiting;
    w->link = &c->waiting;
    if (w->next)
        w->next->link = &w->next;
    c->waiting = w;
    if (!credentials_fetch_is_under_way(&c->fetch))
        tell_later(c);
}

void credentials_forget(struct credentials_wait *w)
{
    if (!w->link)
        return;
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    w->link = NULL;
}

bool credentials_refuse(struct credentials *c, uint64_t generation)
{
    if (generation != c->generation)
        return true;
    if (c->source_error.code != ERR_OK)
        return false;
    if (!credentials_source_is_local(&c->source)) {
        fetch(c);
        return credentials_fetch_is_under_way(&c->fetch);
    }
    if (credentials_source_changed(&c->source))
        read_source(c);
    return generation != c->generation;
}

bool credentials_pause(struct credentials *c, uint64_t generation, const char *error)
{
    if (c->cleared == generation && clock_mono_ms() - c->accepted_ms < CLEARED_MS)
        return false;
    c->doubted = generation;
    if (rest_begin(&c->refused)) {
        set_error(c, error);
        say(c, "the store refuses the keys: its uploads wait");
    }
    return true;
}

void credentials_accept(struct credentials *c, uint64_t generation)
{
    if (generation != c->generation)
        return;
    if (c->refused.step_ms)
        log_info("credentials", "the store takes the keys again",
                 LOG_STR("destination", c->o.config->name));
    c->refused = (struct rest){.step_ms = 0};
    c->accepted_ms = clock_mono_ms();
    if (c->doubted == generation)
        c->cleared = generation;
}

int64_t credentials_hold_ms(struct credentials *c)
{
    int64_t refused = rest_left_ms(&c->refused), failing = 0;

    if (!credentials_key(c)) {
        failing = rest_left_ms(&c->failing);
        if (failing == 0)
            failing = 1; /* they are being asked for */
    }
    return refused > failing ? refused : failing;
}

const char *credentials_error(const struct credentials *c)
{
    return c->error;
}

enum err_code credentials_open(const struct credentials_options *o,
                               struct credentials **ret, struct err *e)
{
    struct credentials *c = calloc(1, sizeof *c);

    if (!c)
        return err_set(e, ERR_NOMEM, "no memory for credentials");
    c->o = *o;
    if (credentials_source_init(&c->source, o->config, o->env, &c->source_error) ==
        ERR_NOMEM) {
        *e = c->source_error;
        free(c);
        return e->code;
    }
    credentials_fetch_init(&c->fetch, o->http, &c->source);
    c->fetch.done = on_fetched;
    c->fetch.ctx = c;
    c->later.data = c;
    (void)uv_timer_init(o->loop, &c->later); /* cannot fail */
    log_debug("credentials", "keys are from", LOG_STR("destination", o->config->name),
              LOG_STR("source", credentials_source_name(&c->source)));
    *ret = c;
    return ERR_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct credentials *c = handle->data;

    c->timer_closed = true;
    free_when_closed(c);
}

void credentials_close(struct credentials *c)
{
    if (!c)
        return;
    c->closing = true;
    credentials_fetch_cancel(&c->fetch);
    uv_close((uv_handle_t *)&c->later, on_closed);
}
