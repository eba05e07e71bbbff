#include "fcgi-app/jobs/queue_limits.h"

#include "shared/job_set.h"
#include "shared/queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT_MAX INT64_C(1000000000)
#define BYTES_MAX (INT64_C(1) << 49) /* 15 digits, what the scripts read */

enum limit_kind { LIMIT_RATE, LIMIT_COUNT, LIMIT_PLACE };

static const struct limit {
    const char *name;
    enum limit_kind kind;
    int64_t max;
} limits[QUEUE_LIMITS] = {
    {"rate", LIMIT_RATE, COUNT_MAX},
    {"burst", LIMIT_RATE, COUNT_MAX},
    {"max_inflight", LIMIT_COUNT, COUNT_MAX},
    {"max_length", LIMIT_COUNT, COUNT_MAX},
    {"max_bytes", LIMIT_COUNT, BYTES_MAX},
    {"group_max_inflight", LIMIT_COUNT, COUNT_MAX},
    {"group_rate", LIMIT_RATE, COUNT_MAX},
    {"group_burst", LIMIT_RATE, COUNT_MAX},
    {"retry_place", LIMIT_PLACE, 0},
};

/* By its name, with ":GROUP" where that may be. */
static const struct limit *find(const char *name)
{
    size_t len = strcspn(name, ":");
    const char *group = name[len] ? name + len + 1 : NULL;
    for (size_t i = 0; i < QUEUE_LIMITS; i++) {
        if (strlen(limits[i].name) != len || memcmp(limits[i].name, name, len) != 0)
            continue;
        bool may = !group || (strncmp(name, "group_", 6) == 0 &&
                              job_may_ask("group", group, strlen(group)));
        return may ? &limits[i] : NULL;
    }
    return NULL;
}

static bool is_digits(const char *s, size_t len)
{
    return len > 0 && strspn(s, "0123456789") >= len;
}

/* Whether s is a number as JSON writes it: 12, 0.5. */
static bool is_number(const char *s)
{
    size_t whole = strcspn(s, "."), len = strlen(s);
    if (!is_digits(s, whole) || (whole > 1 && s[0] == '0'))
        return false;
    return whole == len ||
           (s[len - 1] != '.' && is_digits(s + whole + 1, len - whole - 1));
}

/* 12, 0.5: up to three digits behind the point, as the scripts keep it; no exponent. */
static bool take_rate(const struct json_member *m, char ret[static QUEUE_LIMIT_TEXT])
{
    size_t whole = strcspn(m->text, "."), len = strlen(m->text);
    if (m->type != JSON_NUMBER || !is_number(m->text) || whole > 9 || len > whole + 4)
        return false;
    memcpy(ret, m->text, len + 1);
    return true;
}

enum problem queue_limits_take(const struct json_member *m,
                               char ret_value[static QUEUE_LIMIT_TEXT],
                               bool *ret_remove, struct err *e)
{
    const struct limit *limit = find(m->name);
    int64_t n;
    if (!limit)
        return problem_set(e, PROBLEM_BAD_VALUE, "%.64s: no such limit", m->name);
    ret_value[0] = '\0';
    *ret_remove = m->type == JSON_NULL;
    if (*ret_remove)
        return PROBLEM_NONE;
    switch (limit->kind) {
    case LIMIT_RATE:
        if (take_rate(m, ret_value))
            return PROBLEM_NONE;
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "%.64s: a number up to 999999999 with at most three digits "
                           "behind the point, or null, is wanted",
                           m->name);
    case LIMIT_COUNT:
        if (!json_member_int(m, limit->max, &n))
            return problem_set(e, PROBLEM_BAD_VALUE,
                               "%.64s: a whole number up to %" PRId64
                               ", or null, is wanted",
                               m->name, limit->max);
        (void)snprintf(ret_value, QUEUE_LIMIT_TEXT, "%" PRId64, n);
        return PROBLEM_NONE;
    case LIMIT_PLACE:
        break;
    }
    if (m->type != JSON_TEXT ||
        (strcmp(m->text, "place") != 0 && strcmp(m->text, "tail") != 0))
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "%.64s: \"place\", \"tail\" or null is wanted", m->name);
    memcpy(ret_value, m->text, strlen(m->text) + 1);
    return PROBLEM_NONE;
}

void queue_limits_cmd(struct redis_cmd *c, const char *queue)
{
    redis_cmd_begin(c, "HMGET");
    queue_add_key(c, queue, "conf");
    for (size_t i = 0; i < QUEUE_LIMITS; i++)
        redis_cmd_add_str(c, limits[i].name);
}

void queue_limits_add(struct buf *b, const struct redis_value *reply)
{
    const char *comma = "";
    for (size_t i = 0; i < QUEUE_LIMITS; i++) {
        size_t len;
        const char *value = redis_value_str(redis_value_at(reply, i), &len);
        if (len == 0)
            continue;
        buf_printf(b, "%s\"%s\":", comma, limits[i].name);
        if (len < QUEUE_LIMIT_TEXT && is_number(value))
            buf_puts(b, value);
        else /* set by hand to what is no number: people see it, the scripts ignore it */
            buf_add_json(b, value, len);
        comma = ",";
    }
}
