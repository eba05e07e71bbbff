#include "shared/config_value.h"

#include "shared/cleanup.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *word;
    int64_t factor;
};

/* Largest first, so that a value is shown in the largest unit that divides it. */
static const struct unit sizes[] = {{"T", INT64_C(1) << 40},
                                    {"G", INT64_C(1) << 30},
                                    {"M", INT64_C(1) << 20},
                                    {"K", INT64_C(1) << 10},
                                    {"", 1},
                                    {NULL, 0}};
static const struct unit durations_ms[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};

static bool ends_with(const char *s, const char *end)
{
    size_t len = strlen(s), end_len = strlen(end);

    return len >= end_len && strcmp(s + len - end_len, end) == 0;
}

static bool is_string(const struct config_setting *s)
{
    return s->type == CONFIG_TEXT || s->type == CONFIG_PATH;
}

/* Digits of the base, at least one; *ret_rest is what follows.  False for others and for more than INT64_MAX. */
static bool parse_digits(const char *text, int base, int64_t *ret_value,
                         const char **ret_rest)
{
    int64_t value = 0;
    const char *p = text;

    for (; *p >= '0' && *p < '0' + base; p++)
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, *p - '0', &value))
            return false;
    if (p == text)
        return false;
    *ret_value = value;
    *ret_rest = p;
    return true;
}

/* A number and the word of a unit; a number alone counts `bare`. */
static bool parse_units(const char *text, const struct unit *units, int64_t bare,
                        int64_t *ret_value)
{
    int64_t value;
    const char *rest;

    if (!parse_digits(text, 10, &value, &rest))
        return false;
    if (*rest == '\0')
        return !__builtin_mul_overflow(value, bare, ret_value);
    for (; units->word; units++)
        if (*units->word && strcasecmp(rest, units->word) == 0)
            return !__builtin_mul_overflow(value, units->factor, ret_value);
    return false;
}

/* What a duration without a unit counts, in ms. */
static int64_t bare_ms(const struct config_setting *s)
{
    return ends_with(s->key, "_ms") ? 1 : 1000;
}

static bool parse_integer(const struct config_setting *s, const char *text,
                          int64_t *ret_value)
{
    const char *rest = "";
    int64_t value = 0;
    bool good = false;

    switch (s->type) {
    case CONFIG_NUMBER:
        good = parse_digits(text, 10, &value, &rest);
        break;
    case CONFIG_OCTAL:
        good = parse_digits(text, 8, &value, &rest);
        break;
    case CONFIG_SIZE:
        good = parse_units(text, sizes, 1, &value);
        break;
    case CONFIG_MS:
        good = parse_units(text, durations_ms, bare_ms(s), &value);
        break;
    case CONFIG_SECONDS:
        good = parse_units(text, durations_ms, 1000, &value) && value % 1000 == 0;
        value /= 1000;
        break;
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_BOOL:
    case CONFIG_WORD:
        break;
    }
    if (!good || *rest || value < s->min || value > s->max)
        return false;
    *ret_value = value;
    return true;
}

static bool parse_bool(const char *text, bool *ret_value)
{
    static const char *const words[] = {"no",  "yes", "false", "true",
                                        "off", "on",  "0",     "1"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *ret_value = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static bool parse_word(const struct config_setting *s, const char *text, int *ret_value)
{
    bool truth;

    if (s->takes_bool && parse_bool(text, &truth)) {
        *ret_value = truth;
        return true;
    }
    for (size_t i = 0; i < s->word_count; i++) {
        if (strcmp(text, s->words[i]) == 0) {
            *ret_value = (int)i;
            return true;
        }
    }
    return false;
}

static bool is_string_allowed(const struct config_setting *s, const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    bool optional = s->fallback[0] == '\0' && len == 0;
    bool credential = s->takes_credential && strncmp(text, CONFIG_CREDENTIAL,
                                                     sizeof CONFIG_CREDENTIAL - 1) == 0;
    if (s->type == CONFIG_PATH && text[0] != '/' && !optional && !credential)
        return false;
    return len <= CONFIG_TEXT_MAX;
}

static enum err_code refuse(const struct config_setting *s, const char *text,
                            struct err *e)
{
    CLEANUP(buf_release) struct buf allowed = BUF_INIT(256);

    config_value_describe(s, &allowed);
    if (s->privacy != CONFIG_PUBLIC)
        return err_set(e, ERR_CONFIG, "the value is not %s", allowed.data);
    return err_set(e, ERR_CONFIG, "'%.60s' is not %s", text, allowed.data);
}

/* A key that tells the unit is followed by a bare number. */
static bool names_unit(const struct config_setting *s)
{
    return ends_with(s->key, "_ms") || ends_with(s->key, "_seconds");
}

static enum err_code set_string(char **at, const char *text, struct err *e)
{
    char *copy = strdup(text);

    if (!copy)
        return err_set(e, ERR_NOMEM, "out of memory");
    free(*at);
    *at = copy;
    return ERR_OK;
}

enum err_code config_value_set(const struct config_setting *s, const char *text,
                               void *section, struct err *e)
{
    char *at = (char *)section + s->offset;
    int64_t integer;
    bool truth;
    int word;

    if (is_string(s)) {
        if (!is_string_allowed(s, text))
            return refuse(s, text, e);
        return set_string(config_value_string(s, section), text, e);
    }
    if (s->type == CONFIG_BOOL && parse_bool(text, &truth))
        memcpy(at, &truth, sizeof truth);
    else if (s->type == CONFIG_WORD && parse_word(s, text, &word))
        memcpy(at, &word, sizeof word);
    else if (parse_integer(s, text, &integer))
        memcpy(at, &integer, sizeof integer);
    else
        return refuse(s, text, e);
    return ERR_OK;
}

static void add_units(struct buf *b, const struct unit *units, int64_t value)
{
    while (units[1].word && (value == 0 || value % units->factor != 0))
        units++;
    buf_printf(b, "%" PRId64 "%s", value / units->factor, units->word);
}

static void add_integer(struct buf *b, const struct config_setting *s, int64_t value)
{
    if (s->type == CONFIG_OCTAL)
        buf_printf(b, "%04" PRIo64, (uint64_t)value);
    else if (s->type == CONFIG_SIZE)
        add_units(b, sizes, value);
    else if (s->type == CONFIG_MS)
        add_units(b, durations_ms, value);
    else if (s->type == CONFIG_SECONDS && value == 0)
        buf_puts(b, "0s");
    else if (s->type == CONFIG_SECONDS)
        add_units(b, durations_ms, value * 1000);
    else
        buf_printf(b, "%" PRId64, value);
}

void config_value_add(const struct config_setting *s, const void *section,
                      struct buf *b)
{
    const char *at = (const char *)section + s->offset;

    if (is_string(s)) {
        const char *text;
        memcpy(&text, at, sizeof text);
        if (text)
            buf_puts(b, text);
    } else if (s->type == CONFIG_BOOL) {
        bool truth;
        memcpy(&truth, at, sizeof truth);
        buf_puts(b, truth ? "yes" : "no");
    } else if (s->type == CONFIG_WORD) {
        int word;
        memcpy(&word, at, sizeof word);
        buf_puts(b, s->words[word]);
    } else {
        int64_t integer;
        memcpy(&integer, at, sizeof integer);
        if (names_unit(s))
            buf_printf(b, "%" PRId64, integer);
        else
            add_integer(b, s, integer);
    }
}

static void describe_range(const struct config_setting *s, struct buf *b)
{
    static const char *const nouns[] = {[CONFIG_NUMBER] = "a number",
                                        [CONFIG_OCTAL] = "an octal number",
                                        [CONFIG_SIZE] = "a size",
                                        [CONFIG_MS] = "a duration",
                                        [CONFIG_SECONDS] = "a duration"};

    buf_printf(b, "%s from ", nouns[s->type]);
    add_integer(b, s, s->min);
    buf_puts(b, " to ");
    add_integer(b, s, s->max);
    if (s->type == CONFIG_SIZE)
        buf_puts(b, ", in bytes or with K, M, G or T");
    else if (s->type == CONFIG_MS)
        buf_printf(b, ", in %s or with ms, s, m, h or d",
                   bare_ms(s) == 1 ? "ms" : "seconds");
    else if (s->type == CONFIG_SECONDS)
        buf_puts(b, ", in whole seconds or with s, m, h or d");
}

void config_value_describe(const struct config_setting *s, struct buf *b)
{
    if (s->type == CONFIG_TEXT) {
        buf_printf(b, "text without control characters, up to %d bytes",
                   CONFIG_TEXT_MAX);
    } else if (s->type == CONFIG_PATH) {
        buf_puts(b, s->takes_credential ? "an absolute path, or " CONFIG_CREDENTIAL
                                          "NAME (systemd's)"
                                        : "an absolute path");
    } else if (s->type == CONFIG_BOOL) {
        buf_puts(b, "yes or no");
    } else if (s->type == CONFIG_WORD) {
        buf_puts(b, "one of ");
        for (size_t i = 0; i < s->word_count; i++)
            buf_printf(b, "%s%s", i > 0 ? ", " : "", s->words[i]);
    } else {
        describe_range(s, b);
    }
}

char **config_value_string(const struct config_setting *s, void *section)
{
    return (char **)(void *)((char *)section + s->offset);
}

void config_value_release(const struct config_setting *s, void *section)
{
    if (!is_string(s))
        return;
    char **at = config_value_string(s, section);
    free(*at);
    *at = NULL;
}
