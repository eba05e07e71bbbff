#include "shared/redis_check.h"

#include <inttypes.h>
#include <string.h>

enum { VERSION_MAJOR = 6, VERSION_MINOR = 2 };

/* One line of INFO, "name:value", without its end. */
struct line {
    const char *s, *end;
};

static bool next_line(const char **at, const char *end, struct line *ret)
{
    if (*at >= end)
        return false;
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    const char *line_end = stop ? stop : end;
    ret->s = *at;
    ret->end = line_end > *at && line_end[-1] == '\r' ? line_end - 1 : line_end;
    *at = stop ? stop + 1 : end;
    return true;
}

/* The value, if the line is of that name ("name:"). */
static const char *value_of(const struct line *l, const char *name)
{
    size_t len = strlen(name);

    return (size_t)(l->end - l->s) >= len && memcmp(l->s, name, len) == 0 ? l->s + len
                                                                          : NULL;
}

/* The digits at *at, which moves behind them; -1: none, or more than max_digits. */
static int64_t read_digits(const char **at, const char *end, int max_digits)
{
    int64_t n = 0;
    int digits = 0;

    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, digits++) {
        if (digits == max_digits)
            return -1;
        n = n * 10 + (**at - '0');
    }
    return digits > 0 ? n : -1;
}

/* "7.0.15", "8.1.0-rc1": the first two numbers. */
static void read_version(const char *at, const char *end, struct redis_facts *f)
{
    int64_t major = read_digits(&at, end, 4);

    if (major < 0 || at == end || *at++ != '.')
        return;
    int64_t minor = read_digits(&at, end, 4);
    if (minor < 0 || major < f->major || (major == f->major && minor < f->minor))
        return;
    f->major = (int)major;
    f->minor = (int)minor;
}

static void read_maxmemory(const char *at, const char *end, struct redis_facts *f)
{
    int64_t n = read_digits(&at, end, 18);

    f->maxmemory = at == end ? n : -1;
}

static void read_policy(const char *at, const char *end, struct redis_facts *f)
{
    size_t len = (size_t)(end - at);

    if (len >= sizeof f->policy)
        return;
    for (size_t i = 0; i < len; i++)
        if (at[i] != '-' && (at[i] < 'a' || at[i] > 'z'))
            return;
    memcpy(f->policy, at, len);
    f->policy[len] = '\0';
}

void redis_facts_read(const char *info, size_t len, struct redis_facts *ret)
{
    static const struct {
        const char *name;
        void (*read)(const char *at, const char *end, struct redis_facts *f);
    } fields[] = {
        {"redis_version:", read_version},
        {"valkey_version:", read_version},
        {"maxmemory:", read_maxmemory},
        {"maxmemory_policy:", read_policy},
    };
    struct redis_facts f = REDIS_FACTS_INIT;
    const char *at = info, *end = info + len;
    struct line l;

    while (next_line(&at, end, &l))
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
            const char *value = value_of(&l, fields[i].name);
            if (value)
                fields[i].read(value, l.end, &f);
        }
    *ret = f;
}

static bool policy_begins(const struct redis_facts *f, const char *with)
{
    return strncmp(f->policy, with, strlen(with)) == 0;
}

enum err_code redis_check(const struct redis_facts *f, struct err *e)
{
    bool is_told = f->major > 0;

    if (is_told && (f->major < VERSION_MAJOR ||
                    (f->major == VERSION_MAJOR && f->minor < VERSION_MINOR)))
        return err_set(e, ERR_CONFIG,
                       "redis: the server's version is %d.%d, it must be Redis %d.%d "
                       "or later, or Valkey",
                       f->major, f->minor, VERSION_MAJOR, VERSION_MINOR);
    if (!policy_begins(f, "allkeys-"))
        return ERR_OK;
    if (f->maxmemory > 0)
        return err_set(e, ERR_CONFIG,
                       "redis: the server's maxmemory-policy is %s and maxmemory "
                       "is set (%" PRId64 " bytes): it throws waiting jobs away; set "
                       "maxmemory-policy to noeviction",
                       f->policy, f->maxmemory);
    return err_set(e, ERR_CONFIG,
                   "redis: the server's maxmemory-policy is %s (maxmemory is not set "
                   "yet): it would throw waiting jobs away; set maxmemory-policy to "
                   "noeviction",
                   f->policy);
}

bool redis_check_warns(const struct redis_facts *f)
{
    return policy_begins(f, "volatile-");
}

enum err_code redis_check_start(const struct redis_options *o, struct err *e)
{
    struct redis_value *reply = NULL;
    struct redis_cmd ping;
    struct redis *r = NULL;
    struct err ignored = ERR_INIT; /* away: told by those who need it */

    if (redis_open(o, &r, e) != ERR_OK)
        return e->code;
    redis_cmd_init(&ping);
    redis_cmd_begin(&ping, "PING");
    if (redis_call(r, &ping, &reply, &ignored) == ERR_OK)
        redis_reply_free(reply);
    enum err_code code = redis_check(redis_facts(r), e);
    redis_cmd_release(&ping);
    redis_close(r);
    return code;
}
