#include "shared/words.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t";

static bool is_end(char c)
{
    return c == '\0' || strchr(blanks, c);
}

static int digit_of(char c, int base)
{
    int value = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : base;

    return value < base ? value : -1;
}

/* count digits of this base behind *at: a byte that is not 0. */
static bool take_digits(const char **at, int count, int base, char *ret)
{
    const char *p = *at;
    int value = 0;

    for (; count > 0; count--, p++) {
        int digit = digit_of(*p, base);
        if (digit < 0)
            return false;
        value = value * base + digit;
    }
    if (value < 1 || value > UINT8_MAX)
        return false;
    *ret = (char)(unsigned char)value;
    *at = p;
    return true;
}

/* What stands behind a backslash; *at moves past it. */
static bool take_escape(const char **at, char *ret)
{
    static const char from[] = "abfnrtvs\\\"'", to[] = "\a\b\f\n\r\t\v \\\"'";
    char c = **at;
    const char *found = c ? strchr(from, c) : NULL;

    if (found) {
        *ret = to[found - from];
        ++*at;
        return true;
    }
    if (c == 'x') {
        const char *digits = *at + 1;
        if (!take_digits(&digits, 2, 16, ret))
            return false;
        *at = digits;
        return true;
    }
    return take_digits(at, 3, 8, ret);
}

static enum err_code bad_escape(const char *at, struct err *e)
{
    return err_set(e, ERR_CONFIG,
                   "'\\%.*s' is not one of \\a \\b \\f \\n \\r \\t \\v \\s \\\\ \\\" "
                   "\\' \\xHH \\OOO",
                   *at ? 1 : 0, at);
}

/* One word from *at on to *out, with its NUL. */
static enum err_code take_word(const char **at, char **out, struct err *e)
{
    const char *p = *at;
    char quote = *p == '"' || *p == '\'' ? *p++ : '\0';

    while (quote ? *p != quote : !is_end(*p)) {
        if (*p == '\0')
            return err_set(e, ERR_CONFIG, "a %c without its end", quote);
        if (*p != '\\') {
            *(*out)++ = *p++;
            continue;
        }
        p++;
        if (!take_escape(&p, (*out)++))
            return bad_escape(p, e);
    }
    if (quote && !is_end(p[1]))
        return err_set(e, ERR_CONFIG, "a blank must follow the %c that ends a word",
                       quote);
    *(*out)++ = '\0';
    *at = p + (quote ? 1 : 0);
    return ERR_OK;
}

enum err_code words_split(const char *line, struct words *ret, struct err *e)
{
    size_t len = strnlen(line, WORDS_TEXT_MAX + 1);
    const char *at = line + strspn(line, blanks);
    struct words w = {.count = 0};

    if (len > WORDS_TEXT_MAX)
        return err_set(e, ERR_CONFIG, "is longer than %d bytes", WORDS_TEXT_MAX);
    if (!*at)
        return err_set(e, ERR_CONFIG, "is empty: a program and its arguments");
    /* No word is longer than its text, and each but the last is followed by a blank: its NUL's place. */
    w.text = malloc(len + 1);
    if (!w.text)
        return err_set(e, ERR_NOMEM, "out of memory");
    for (char *out = w.text; *at; at += strspn(at, blanks)) {
        if (w.count == WORDS_MAX)
            err_set(e, ERR_CONFIG, "has more than %d words", WORDS_MAX);
        w.argv[w.count] = out;
        if (w.count == WORDS_MAX || take_word(&at, &out, e) != ERR_OK) {
            words_release(&w);
            return e->code;
        }
        w.count++;
    }
    *ret = w;
    return ERR_OK;
}

void words_release(struct words *w)
{
    free(w->text);
    *w = (struct words){.count = 0};
}
