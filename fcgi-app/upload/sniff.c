#include "fcgi-app/upload/sniff.h"

#ifdef HOIST_HAVE_MAGIC

#include <magic.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLAGS = MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR |
            MAGIC_NO_CHECK_CDF | MAGIC_NO_CHECK_ELF | MAGIC_NO_CHECK_APPTYPE |
            MAGIC_NO_CHECK_TOKENS | MAGIC_NO_CHECK_JSON | MAGIC_NO_CHECK_CSV
};

static const struct {
    int param;
    size_t max;
} bounds[] = {
    {MAGIC_PARAM_INDIR_MAX, 15},
    {MAGIC_PARAM_NAME_MAX, 50},
    {MAGIC_PARAM_REGEX_MAX, 4096},
    {MAGIC_PARAM_BYTES_MAX, SNIFF_BYTES},
    {MAGIC_PARAM_ENCODING_MAX, SNIFF_BYTES},
};

struct sniffer {
    pthread_mutex_t lock;
    pthread_cond_t given_back;
    magic_t *idle; /* idle_count of them */
    size_t idle_count, made, max;
};

static enum err_code load(magic_t *ret, struct err *e)
{
    magic_t m = magic_open(FLAGS);
    if (!m)
        return err_set(e, ERR_NOMEM, "libmagic: no memory");
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        (void)magic_setparam(m, bounds[i].param, &bounds[i].max); /* all are known */
    if (magic_load(m, NULL) != 0) {
        (void)err_set(e, ERR_CONFIG, "libmagic: %s", magic_error(m));
        magic_close(m);
        return e->code;
    }
    *ret = m;
    return ERR_OK;
}

enum err_code sniffer_open(size_t max, struct sniffer **ret_sniffer, struct err *e)
{
    struct sniffer *s = calloc(1, sizeof *s);
    if (!s || !(s->idle = calloc(max, sizeof *s->idle))) {
        free(s);
        return err_set(e, ERR_NOMEM, "sniffer: out of memory");
    }
    (void)pthread_mutex_init(&s->lock, NULL); /* cannot fail on Linux */
    (void)pthread_cond_init(&s->given_back, NULL);
    s->max = max;
    if (load(&s->idle[0], e)) {
        sniffer_close(s);
        return e->code;
    }
    s->idle_count = s->made = 1;
    *ret_sniffer = s;
    return ERR_OK;
}

void sniffer_close(struct sniffer *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->idle_count; i++)
        magic_close(s->idle[i]);
    (void)pthread_cond_destroy(&s->given_back);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->idle);
    free(s);
}

static void give_back(struct sniffer *s, magic_t m)
{
    (void)pthread_mutex_lock(&s->lock);
    if (m)
        s->idle[s->idle_count++] = m;
    else
        s->made--;
    (void)pthread_cond_signal(&s->given_back);
    (void)pthread_mutex_unlock(&s->lock);
}

static enum err_code borrow(struct sniffer *s, magic_t *ret, struct err *e)
{
    magic_t m = NULL;
    (void)pthread_mutex_lock(&s->lock);
    while (s->idle_count == 0 && s->made == s->max)
        (void)pthread_cond_wait(&s->given_back, &s->lock);
    if (s->idle_count > 0)
        m = s->idle[--s->idle_count];
    else
        s->made++; /* loaded without the lock: the others need not wait for it */
    (void)pthread_mutex_unlock(&s->lock);
    if (!m && load(&m, e)) {
        give_back(s, NULL);
        e->code = ERR_RETRY; /* the database was there when this program started */
        return e->code;
    }
    *ret = m;
    return ERR_OK;
}

enum err_code sniffer_look(struct sniffer *s, const void *data, size_t len,
                           char ret_type[SNIFF_TYPE_SIZE], struct err *e)
{
    magic_t m;
    if (borrow(s, &m, e))
        return e->code;
    const char *type = magic_buffer(m, data, len < SNIFF_BYTES ? len : SNIFF_BYTES);
    if (!type)
        (void)err_set(e, ERR_RETRY, "libmagic: %s", magic_error(m));
    else
        (void)snprintf(ret_type, SNIFF_TYPE_SIZE, "%s", type); /* a longer one is cut */
    give_back(s, m);
    return type ? ERR_OK : ERR_RETRY;
}

#else

enum err_code sniffer_open(size_t max, struct sniffer **ret_sniffer, struct err *e)
{
    (void)max;
    (void)ret_sniffer;
    return err_set(e, ERR_CONFIG, "this program was built without libmagic");
}

void sniffer_close(struct sniffer *s)
{
    (void)s;
}

enum err_code sniffer_look(struct sniffer *s, const void *data, size_t len,
                           char ret_type[SNIFF_TYPE_SIZE], struct err *e)
{
    (void)s;
    (void)data;
    (void)len;
    (void)ret_type;
    return err_set(e, ERR_CONFIG, "this program was built without libmagic");
}

#endif
