#include "shared/key_record.h"

#include <string.h>

static const char head[] = "hoist-key 1\n";
static const char seal[] = "seal ";
enum {
    SEAL_LEN = sizeof seal - 1 + DIGEST_SHA256_HEX + 1, /* with its line's end */
    DIGITS_MAX = 15
};

enum err_code key_record_format(const struct key_record *r, const struct job_id *ids,
                                struct buf *ret, struct err *e)
{
    char id[ID_JOB_MAX + 1], hex[DIGEST_SHA256_HEX + 1];

    buf_clear(ret);
    buf_puts_all(ret, (const char *const[]){head, "created ", NULL});
    buf_add_int(ret, r->created);
    buf_puts_all(ret, (const char *const[]){"\nprint ", r->print, "\nids ", NULL});
    buf_add_int(ret, (int64_t)r->id_count);
    for (size_t i = 0; i < r->id_count; i++) {
        id_format_job(&ids[i], id);
        buf_puts_all(ret, (const char *const[]){"\n", id, NULL});
    }
    buf_puts(ret, "\nbody ");
    buf_add_int(ret, (int64_t)r->body_len);
    buf_putc(ret, '\n');
    buf_add(ret, r->body, r->body_len);
    if (digest_sha256_hex(ret->data, ret->len, hex, e))
        return e->code;
    buf_puts_all(ret, (const char *const[]){seal, hex, "\n", NULL});
    return ret->failed ? err_set(e, ERR_NOMEM, "key record: it does not fit") : ERR_OK;
}

/* --- Reading: what is left of the text --- */

struct rest {
    const char *s;
    size_t len;
};

/* Take this word. */
static bool take(struct rest *r, const char *word)
{
    size_t len = strlen(word);

    if (r->len < len || memcmp(r->s, word, len) != 0)
        return false;
    r->s += len;
    r->len -= len;
    return true;
}

/* Take what is before the end of the line, and that. */
static bool take_line(struct rest *r, struct rest *ret)
{
    const char *end = memchr(r->s, '\n', r->len);

    if (!end)
        return false;
    *ret = (struct rest){r->s, (size_t)(end - r->s)};
    r->len -= ret->len + 1;
    r->s = end + 1;
    return true;
}

/* Take "word N\n", N from 0 to max. */
static bool take_number(struct rest *r, const char *word, int64_t max, int64_t *ret)
{
    struct rest digits;
    int64_t n = 0;

    if (!take(r, word) || !take_line(r, &digits) || digits.len == 0 ||
        digits.len > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.s[i] < '0' || digits.s[i] > '9')
            return false;
        n = n * 10 + (digits.s[i] - '0');
    }
    *ret = n;
    return n <= max;
}

static bool take_print(struct rest *r, char ret[static DIGEST_SHA256_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    struct rest hex;

    if (!take(r, "print ") || !take_line(r, &hex) || hex.len != DIGEST_SHA256_HEX)
        return false;
    for (size_t i = 0; i < hex.len; i++)
        if (hex.s[i] == '\0' || !strchr(digits, hex.s[i]))
            return false;
    memcpy(ret, hex.s, hex.len);
    ret[hex.len] = '\0';
    return true;
}

static bool take_ids(struct rest *r, struct key_record *ret)
{
    struct job_id id;
    struct rest line;
    int64_t count;

    if (!take_number(r, "ids ", KEY_RECORD_IDS_MAX, &count) || count == 0)
        return false;
    ret->ids = r->s;
    ret->id_count = (size_t)count;
    for (size_t i = 0; i < ret->id_count; i++)
        if (!take_line(r, &line) || !id_parse_job(line.s, line.len, &id))
            return false;
    return true;
}

static bool is_sealed(const char *text, size_t len)
{
    char hex[DIGEST_SHA256_HEX + 1];
    struct err e = ERR_INIT;
    const char *line = text + len - SEAL_LEN;

    return len >= SEAL_LEN && memcmp(line, seal, sizeof seal - 1) == 0 &&
           text[len - 1] == '\n' &&
           digest_sha256_hex(text, len - SEAL_LEN, hex, &e) == ERR_OK &&
           memcmp(line + sizeof seal - 1, hex, DIGEST_SHA256_HEX) == 0;
}

bool key_record_parse(const char *text, size_t len, struct key_record *ret)
{
    struct rest r = {text, len};
    struct key_record record;
    int64_t body;

    memset(&record, 0, sizeof record);
    if (len < SEAL_LEN || len > KEY_RECORD_MAX || !take(&r, head) ||
        !take_number(&r, "created ", INT64_MAX, &record.created) ||
        record.created == 0 || !take_print(&r, record.print) ||
        !take_ids(&r, &record) ||
        !take_number(&r, "body ", KEY_RECORD_BODY_MAX, &body) ||
        r.len != (size_t)body + SEAL_LEN || !is_sealed(text, len))
        return false;
    record.body = r.s;
    record.body_len = (size_t)body;
    *ret = record;
    return true;
}

bool key_record_next(const struct key_record *r, size_t *at, struct job_id *ret)
{
    const char *line = r->ids + *at;
    size_t len = strcspn(line, "\n"); /* the body's line comes behind them */

    if (!id_parse_job(line, len, ret))
        return false;
    *at += len + 1;
    return true;
}
