#include "shared/id.h"

#include "shared/digest.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
    NS_PER_MS = 1000000,
    POOL_IDS = 32 /* 256 bytes: so many getrandom gives at once, whole */
};

/* Random numbers for the next ids of a thread; each is used once, and a child of fork has its own. */
static _Thread_local struct {
    uint64_t bits[POOL_IDS];
    size_t left;
} pool;

static void empty_pool(void)
{
    pool.left = 0;
}

static void watch_forks(void)
{
    if (pthread_atfork(NULL, NULL, empty_pool) != 0)
        abort();
}

static void fill_pool(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    ssize_t n;

    (void)pthread_once(&once, watch_forks);
    do
        n = getrandom(pool.bits, sizeof pool.bits, 0);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof pool.bits)
        abort();
    pool.left = POOL_IDS;
}

static uint64_t random_bits(void)
{
    if (pool.left == 0)
        fill_pool();
    return pool.bits[--pool.left];
}

struct uuid id_new(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_REALTIME,
                        &now); /* fails only for a clock that is not there */
    return id_format_uuid((int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec,
                          random_bits());
}

/* 48 bits of ms, 12 of what follows, 62 of the rest. */
static struct uuid format_uuid(uint64_t ms, uint64_t next, uint64_t rest)
{
    static const char digits[] = "0123456789abcdef";
    const uint64_t half[2] = {ms << 16 | 0x7000 | (next & 0xfff),
                              UINT64_C(1) << 63 | (rest & UINT64_MAX >> 2)};
    struct uuid id = {.text = "00000000-0000-0000-0000-000000000000"};
    char *at = id.text;

    for (int digit = 0; digit < 32; digit++, at++) {
        if (*at == '-')
            at++;
        *at = digits[half[digit / 16] >> (60 - digit % 16 * 4) & 15];
    }
    return id;
}

struct uuid id_format_uuid(int64_t ns, uint64_t random)
{
    uint64_t fraction = (uint64_t)ns % NS_PER_MS * 4096 / NS_PER_MS;

    return format_uuid((uint64_t)ns / NS_PER_MS, fraction, random);
}

enum err_code id_of_tick(const char *name, int64_t tick_ms, struct uuid *ret_uuid,
                         struct err *e)
{
    struct digest_sha256 d = DIGEST_SHA256_INIT;
    uint8_t sum[DIGEST_SHA256_BYTES];
    char tick[24];
    uint64_t bits[2];

    (void)snprintf(tick, sizeof tick, "%" PRId64, tick_ms); /* fits */
    enum err_code code = digest_sha256_init(&d, e);
    if (code == ERR_OK) {
        digest_sha256_update(&d, name, strlen(name) + 1); /* its NUL parts the two */
        digest_sha256_update(&d, tick, strlen(tick));
        code = digest_sha256_final(&d, sum, e);
    }
    digest_sha256_release(&d);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < 2; i++) {
        bits[i] = 0;
        for (size_t k = 0; k < sizeof bits[i]; k++)
            bits[i] = bits[i] << 8 | sum[sizeof bits[i] * i + k];
    }
    *ret_uuid = format_uuid((uint64_t)tick_ms, bits[0], bits[1]);
    return ERR_OK;
}

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool id_is_queue(const char *s, size_t len)
{
    if (len < 1 || len > ID_QUEUE_MAX || !is_lower_or_digit(s[0]))
        return false;
    for (size_t i = 1; i < len; i++)
        if (!is_lower_or_digit(s[i]) && s[i] != '-' && s[i] != '_')
            return false;
    return true;
}

/* The value of a lower-case hex digit, or -1. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool id_is_uuid(const char *s, size_t len)
{
    static const char form[] = "xxxxxxxx-xxxx-7xxx-vxxx-xxxxxxxxxxxx";

    if (len != ID_UUID_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        int value = hex_value(s[i]);
        bool fits = form[i] == 'x'   ? value >= 0
                    : form[i] == 'v' ? value >= 8 && value <= 11
                                     : s[i] == form[i];
        if (!fits)
            return false;
    }
    return true;
}

bool id_parse_job(const char *s, size_t len, struct job_id *ret_id)
{
    if (len < ID_UUID_LEN + 2 || len > ID_JOB_MAX)
        return false;
    size_t queue_len = len - ID_UUID_LEN - 1;
    const char *uuid = s + queue_len + 1;
    if (s[queue_len] != '.' || !id_is_queue(s, queue_len) ||
        !id_is_uuid(uuid, ID_UUID_LEN))
        return false;
    memcpy(ret_id->queue, s, queue_len);
    ret_id->queue[queue_len] = '\0';
    memcpy(ret_id->uuid.text, uuid, ID_UUID_LEN);
    ret_id->uuid.text[ID_UUID_LEN] = '\0';
    return true;
}

void id_format_job(const struct job_id *id, char ret_text[static ID_JOB_MAX + 1])
{
    size_t len = strnlen(id->queue, ID_QUEUE_MAX);

    memcpy(ret_text, id->queue, len);
    ret_text[len] = '.';
    memcpy(ret_text + len + 1, id->uuid.text, ID_UUID_LEN + 1);
}

int64_t id_uuid_ms(const char *uuid)
{
    int64_t ms = 0;

    for (size_t i = 0; i < 13; i++)
        if (i != 8)
            ms = ms * 16 + (hex_value(uuid[i]) & 15);
    return ms;
}
