/* The text of a cron line.  Pure. */
#include "shared/cron.h"

#include <string.h>
#include <strings.h>

static const char *const months[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                     "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const weekdays[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

static const struct field {
    const char *name, *allowed;
    int min, max;
    const char *const *words; /* the first one means first_word */
    int word_count, first_word;
} fields[CRON_FIELDS] = {
    [CRON_MINUTE] = {"minute", "0 to 59", 0, 59, NULL, 0, 0},
    [CRON_HOUR] = {"hour", "0 to 23", 0, 23, NULL, 0, 0},
    [CRON_DAY] = {"day of month", "1 to 31", 1, 31, NULL, 0, 0},
    [CRON_MONTH] = {"month", "1 to 12 or JAN to DEC", 1, 12, months, 12, 1},
    [CRON_WEEKDAY] = {"day of week", "0 to 7 (0 and 7 are Sunday) or SUN to SAT", 0, 7,
                      weekdays, 7, 0},
};

static const struct {
    const char *name, *line;
} nicknames[] = {{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},
                 {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
                 {"@monthly", "0 0 1 * *"},  {"@yearly", "0 0 1 1 *"},
                 {"@annually", "0 0 1 1 *"}};

/* What is left of the line, or of a field. */
struct cursor {
    const char *s;
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The characters up to the next blank, and the blanks behind them, are taken. */
static struct cursor take_word(struct cursor *line)
{
    struct cursor word = {line->s, 0};

    while (word.len < line->len && !is_blank(line->s[word.len]))
        word.len++;
    line->s += word.len;
    line->len -= word.len;
    while (line->len > 0 && is_blank(*line->s)) {
        line->s++;
        line->len--;
    }
    return word;
}

static bool take(struct cursor *c, char wanted)
{
    if (c->len == 0 || *c->s != wanted)
        return false;
    c->s++;
    c->len--;
    return true;
}

/* One or two digits, from min to max. */
static bool take_number(struct cursor *c, int min, int max, int *ret)
{
    int value = 0;
    size_t n = 0;

    for (; n < c->len && c->s[n] >= '0' && c->s[n] <= '9'; n++) {
        if (n == 2)
            return false;
        value = value * 10 + (c->s[n] - '0');
    }
    if (n == 0 || value < min || value > max)
        return false;
    c->s += n;
    c->len -= n;
    *ret = value;
    return true;
}

/* A number or a name of the field. */
static bool take_value(struct cursor *c, const struct field *f, int *ret)
{
    for (int i = 0; c->len >= 3 && i < f->word_count; i++) {
        if (strncasecmp(c->s, f->words[i], 3) == 0) {
            c->s += 3;
            c->len -= 3;
            *ret = f->first_word + i;
            return true;
        }
    }
    return take_number(c, f->min, f->max, ret);
}

/* A star, "a" or "a-b"; what has more than one value may have a step. */
static bool take_item(struct cursor *c, const struct field *f, uint64_t *set)
{
    int low = f->min, high = f->max, step = 1;
    bool is_range = take(c, '*');

    if (!is_range) {
        if (!take_value(c, f, &low))
            return false;
        high = low;
        is_range = take(c, '-');
        if (is_range && !take_value(c, f, &high))
            return false;
        if (f->words == weekdays && high == 0 && low > 0)
            high = 7; /* up to the Sunday at its end */
    }
    if (is_range && take(c, '/') && !take_number(c, 1, f->max, &step))
        return false;
    for (int i = low; i <= high; i += step)
        *set |= UINT64_C(1) << i;
    return low <= high;
}

static bool parse_field(struct cursor c, const struct field *f, uint64_t *ret_set)
{
    uint64_t set = 0;

    do {
        if (!take_item(&c, f, &set))
            return false;
    } while (take(&c, ','));
    if (f->words == weekdays && set & UINT64_C(1) << 7)
        set = (set | 1) & 0x7f;
    *ret_set = set;
    return c.len == 0;
}

static enum err_code refuse_count(struct err *e)
{
    return err_set(e, ERR_CONFIG,
                   "cron: not five fields: minute, hour, day of month, month, day of "
                   "week, such as 30 2 * * MON-FRI");
}

static enum err_code parse_fields(struct cursor line, struct cron *ret, struct err *e)
{
    struct cron cron = {.every_ms = 0};
    struct cursor words[CRON_FIELDS];

    for (int i = 0; i < CRON_FIELDS; i++) {
        words[i] = take_word(&line);
        if (words[i].len == 0)
            return refuse_count(e);
    }
    if (line.len > 0)
        return refuse_count(e);
    for (int i = 0; i < CRON_FIELDS; i++) {
        const struct field *f = &fields[i];
        if (!parse_field(words[i], f, &cron.set[i]))
            return err_set(
                e, ERR_CONFIG,
                "cron: the %s '%.*s': allowed are *, %s, ranges low-high, * and "
                "ranges with /step of 1 to %d, and lists of these with "
                "commas",
                f->name, words[i].len > 40 ? 40 : (int)words[i].len, words[i].s,
                f->allowed, f->max);
        cron.star[i] = *words[i].s == '*';
    }
    *ret = cron;
    return ERR_OK;
}

static enum err_code parse_nickname(struct cursor word, struct cron *ret, struct err *e)
{
    for (size_t i = 0; i < sizeof nicknames / sizeof nicknames[0]; i++) {
        struct cursor line = {nicknames[i].line, strlen(nicknames[i].line)};
        if (word.len == strlen(nicknames[i].name) &&
            strncasecmp(word.s, nicknames[i].name, word.len) == 0)
            return parse_fields(line, ret, e);
    }
    return err_set(e, ERR_CONFIG,
                   "cron: '%.*s' is not @hourly, @daily, @midnight, @weekly, @monthly, "
                   "@yearly or @annually",
                   word.len > 40 ? 40 : (int)word.len, word.s);
}

enum err_code cron_parse(const char *s, size_t len, struct cron *ret_cron,
                         struct err *e)
{
    struct cursor line = {s, len};

    if (len > CRON_LINE_MAX || memchr(s, '\0', len))
        return err_set(e, ERR_CONFIG, "cron: not a line of at most %d bytes",
                       CRON_LINE_MAX);
    if (line.len > 0 && is_blank(*line.s))
        (void)take_word(&line); /* the blanks in front */
    struct cursor rest = line, word = take_word(&rest);
    if (word.len > 0 && *word.s == '@' && rest.len == 0)
        return parse_nickname(word, ret_cron, e);
    return parse_fields(line, ret_cron, e);
}
