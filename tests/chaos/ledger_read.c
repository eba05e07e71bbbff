#include "tests/chaos/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cleanup.h"

DEFINE_CLEANUP(FILE *, file_close, fclose)

/* --- One line: pure --- */

struct cursor {
    const char *at, *end;
};

/* The next word, of 1 to max bytes; words are divided by single blanks. */
static bool take_word(struct cursor *c, size_t max, char *ret_word)
{
    size_t len = 0;

    while (c->at + len < c->end && c->at[len] != ' ')
        len++;
    if (len == 0 || len > max)
        return false;
    memcpy(ret_word, c->at, len);
    ret_word[len] = '\0';
    c->at += len;
    if (c->at < c->end) {
        c->at++;
        return c->at < c->end; /* no blank at the end */
    }
    return true;
}

static bool take_number(struct cursor *c, int64_t max, int64_t *ret)
{
    char word[19];
    int64_t n = 0;

    if (!take_word(c, sizeof word - 1, word))
        return false;
    for (const char *s = word; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        n = n * 10 + (*s - '0');
    }
    *ret = n;
    return n <= max;
}

static bool take_kind(struct cursor *c, enum ledger_kind *ret)
{
    static const char *const words[] = {"try", "cut", "got", "unk"};
    char word[4];

    if (!take_word(c, sizeof word - 1, word))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i]) == 0) {
            *ret = (enum ledger_kind)i;
            return true;
        }
    return false;
}

static bool take_got(struct cursor *c, struct ledger_line *l)
{
    struct job_id id;
    int64_t status;

    if (!take_number(c, 599, &status) || status < 100 ||
        !take_word(c, ID_JOB_MAX, l->id))
        return false;
    l->status = (int)status;
    if (strcmp(l->id, "-") == 0) {
        l->id[0] = '\0';
        return true;
    }
    return id_parse_job(l->id, strlen(l->id), &id);
}

static bool take_try(struct cursor *c, struct ledger_line *l)
{
    uint8_t sum[DIGEST_SHA256_BYTES];

    return take_number(c, INT64_MAX, &l->size) &&
           take_word(c, DIGEST_SHA256_HEX, l->sha256) &&
           digest_hex_decode(l->sha256, strlen(l->sha256), sum, sizeof sum);
}

bool ledger_parse(const char *text, size_t len, struct ledger_line *ret_line)
{
    struct cursor c = {text, text + len};
    struct ledger_line l = {0};

    if (!take_kind(&c, &l.kind) || !take_number(&c, INT64_MAX, &l.n))
        return false;
    if ((l.kind == LEDGER_TRY || l.kind == LEDGER_CUT) && !take_try(&c, &l))
        return false;
    if (l.kind == LEDGER_GOT && !take_got(&c, &l))
        return false;
    if (!take_number(&c, INT64_MAX, &l.ms) || c.at != c.end)
        return false;
    *ret_line = l;
    return true;
}

/* --- All of them --- */

static enum err_code make_room(struct ledger_record *r, size_t *capacity, int64_t n,
                               struct err *e)
{
    size_t want = (size_t)n + 1;

    if (n >= LEDGER_ENTRIES_MAX)
        return err_set(e, ERR_REJECT, "number above %d", LEDGER_ENTRIES_MAX - 1);
    if (want > *capacity) {
        size_t grown = *capacity * 2 > want ? *capacity * 2 : want + 1023;
        struct ledger_entry *entries = realloc(r->entries, grown * sizeof *entries);
        if (!entries)
            return err_set(e, ERR_NOMEM, "no memory for %zu entries", grown);
        memset(entries + *capacity, 0, (grown - *capacity) * sizeof *entries);
        r->entries = entries;
        *capacity = grown;
    }
    if (want > r->count)
        r->count = want;
    return ERR_OK;
}

static enum err_code begin_entry(struct ledger_entry *entry,
                                 const struct ledger_line *l, struct err *e)
{
    if (entry->outcome != LEDGER_NONE)
        return err_set(e, ERR_REJECT, "number tried twice");
    entry->outcome = l->kind == LEDGER_CUT ? LEDGER_BROKEN : LEDGER_UNKNOWN;
    entry->size = l->size;
    entry->tried_ms = l->ms;
    (void)digest_hex_decode(l->sha256, DIGEST_SHA256_HEX, entry->sha256,
                            sizeof entry->sha256); /* the parser has seen to it */
    return ERR_OK;
}

static enum ledger_outcome outcome_of(int status)
{
    if (status >= 200 && status < 300)
        return LEDGER_ACCEPTED;
    return status == 502 || status == 504 ? LEDGER_UNKNOWN : LEDGER_REFUSED;
}

static enum err_code end_entry(struct ledger_entry *entry, const struct ledger_line *l,
                               struct err *e)
{
    if (entry->outcome == LEDGER_NONE || entry->ended_ms != 0)
        return err_set(e, ERR_REJECT, "%s",
                       entry->ended_ms ? "number ends twice" : "number ends untried");
    entry->ended_ms = l->ms;
    if (l->kind == LEDGER_UNK)
        return ERR_OK;
    entry->status = l->status;
    if (entry->outcome == LEDGER_BROKEN)
        return ERR_OK;
    entry->outcome = outcome_of(l->status);
    if (entry->outcome == LEDGER_ACCEPTED)
        memcpy(entry->id, l->id, sizeof entry->id);
    return ERR_OK;
}

static enum err_code take_line(struct ledger_record *r, size_t *capacity,
                               const char *text, size_t len, struct err *e)
{
    struct ledger_line l;

    if (!ledger_parse(text, len, &l))
        return err_set(e, ERR_REJECT, "no line of a ledger");
    if (make_room(r, capacity, l.n, e) != ERR_OK)
        return e->code;
    struct ledger_entry *entry = &r->entries[l.n];
    return l.kind == LEDGER_TRY || l.kind == LEDGER_CUT ? begin_entry(entry, &l, e)
                                                        : end_entry(entry, &l, e);
}

static void count_outcomes(struct ledger_record *r)
{
    int64_t counts[LEDGER_BROKEN + 1] = {0};

    for (size_t i = 0; i < r->count; i++)
        counts[r->entries[i].outcome]++;
    r->accepted = counts[LEDGER_ACCEPTED];
    r->refused = counts[LEDGER_REFUSED];
    r->unknown = counts[LEDGER_UNKNOWN];
    r->broken = counts[LEDGER_BROKEN];
}

enum err_code ledger_read(const char *path, struct ledger_record *ret_record,
                          struct err *e)
{
    CLEANUP(ledger_record_release) struct ledger_record r = LEDGER_RECORD_INIT;
    CLEANUP(file_close) FILE *file = fopen(path, "re");
    char text[LEDGER_LINE_MAX + 2];
    size_t capacity = 0;

    if (!file)
        return err_errno(e, ERR_CONFIG, "ledger: open %s", path);
    for (int64_t line = 1; fgets(text, sizeof text, file); line++) {
        size_t len = strcspn(text, "\n");
        if (text[len] != '\n' && feof(file))
            break; /* torn */
        if (take_line(&r, &capacity, text, len, e) != ERR_OK)
            return err_prefix(e, "ledger: %s:%lld", path, (long long)line);
    }
    if (ferror(file))
        return err_errno(e, ERR_CONFIG, "ledger: read %s", path);
    count_outcomes(&r);
    *ret_record = r;
    r = (struct ledger_record)LEDGER_RECORD_INIT;
    return ERR_OK;
}

void ledger_record_release(struct ledger_record *r)
{
    free(r->entries);
    *r = (struct ledger_record)LEDGER_RECORD_INIT;
}
