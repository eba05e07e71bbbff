#include "tests/chaos/faults_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { HEAD_BYTES = 1500 /* of a request to the store, about */ };

static struct proxy *find_proxy(struct system *s, struct fault *f)
{
    if (f->row->store_proxy) {
        (void)snprintf(f->target, sizeof f->target, "store");
        return s->store_proxy;
    }
    unsigned i = f->event.target % (unsigned)s->options->workers;
    (void)snprintf(f->target, sizeof f->target, "worker-%u", i + 1);
    return s->redis_proxy[i];
}

static enum proxy_direction draw_direction(const struct fault *f)
{
    return f->event.dice & 1 ? PROXY_UP : PROXY_DOWN;
}

static bool set_both(struct system *s, struct fault *f, const struct proxy_fault *what)
{
    struct proxy *p = find_proxy(s, f);

    proxy_set(p, PROXY_UP, what);
    proxy_set(p, PROXY_DOWN, what);
    return true;
}

bool fault_slow(struct system *s, struct fault *f)
{
    return set_both(s, f,
                    &(struct proxy_fault){.delay_ms = 1 + (int)(f->event.dice % 300)});
}

bool fault_hold(struct system *s, struct fault *f)
{
    return set_both(s, f, &(struct proxy_fault){.hold = true});
}

bool fault_slice(struct system *s, struct fault *f)
{
    return set_both(s, f, &(struct proxy_fault){.slice = true});
}

/* One way at a time, or both. */
bool fault_hole(struct system *s, struct fault *f)
{
    struct proxy_fault hole = {.swallow = true};
    struct proxy *p = find_proxy(s, f);

    if ((f->event.dice >> 1) % 3 == 0)
        return set_both(s, f, &hole);
    proxy_set(p, draw_direction(f), &hole);
    return true;
}

/* Where: anywhere in the first few requests or answers since now. */
bool fault_cut(struct system *s, struct fault *f)
{
    int64_t range = f->row->store_proxy ? 40000 : 4000;

    proxy_set(find_proxy(s, f), draw_direction(f),
              &(struct proxy_fault){.cut = true,
                                    .cut_at = (int64_t)(f->event.dice >> 8) % range,
                                    .times = 1 + (int)(f->event.dice >> 4) % 4});
    return true;
}

/* Mostly in a body: what is damaged in a head is refused by the signature. */
bool fault_flip(struct system *s, struct fault *f)
{
    proxy_set(find_proxy(s, f), PROXY_UP,
              &(struct proxy_fault){.flip = true,
                                    .flip_at = HEAD_BYTES +
                                               (int64_t)(f->event.dice >> 8) % 20000,
                                    .flip_bit = (int)(f->event.dice & 7),
                                    .times = 1});
    return true;
}

bool fault_refuse(struct system *s, struct fault *f)
{
    struct proxy *p = find_proxy(s, f);

    proxy_refuse(p, true);
    proxy_reset(p);
    return true;
}

bool fault_reset(struct system *s, struct fault *f)
{
    proxy_reset(find_proxy(s, f));
    return true;
}

bool fault_net_heals(struct system *s, struct fault *f)
{
    proxy_heal(find_proxy(s, f));
    return true;
}

/* The store looks whether this file is there. */
bool fault_sick(struct system *s, struct fault *f)
{
    int fd =
        open(system_path(s, "run/store-sick"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)snprintf(f->target, sizeof f->target, "store");
    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}

bool fault_healthy(struct system *s, struct fault *f)
{
    (void)f;
    (void)unlink(system_path(s, "run/store-sick")); /* of two, the first ended has */
    return true;
}
