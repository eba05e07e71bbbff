#include "shared/text_line.h"

#include <string.h>

enum { DIGITS_MAX = 15 };

bool text_line_next(const char *text, size_t len, size_t *at, const char **ret_line,
                    const char **ret_end)
{
    if (*at >= len) /* text may be NULL then */
        return false;
    const char *s = text + *at, *end = memchr(s, '\n', len - *at);
    if (!end)
        return false;
    *at += (size_t)(end - s) + 1;
    *ret_line = s;
    *ret_end = end;
    return true;
}

bool text_line_word(const char **s, const char *end, struct job_text *ret)
{
    const char *space = memchr(*s, ' ', (size_t)(end - *s));

    if (!space || space == *s)
        return false;
    *ret = (struct job_text){*s, (size_t)(space - *s)};
    *s = space + 1;
    return true;
}

bool text_line_number(const char **s, const char *end, int64_t *ret)
{
    struct job_text word;

    if (!text_line_word(s, end, &word) || word.len > DIGITS_MAX)
        return false;
    *ret = 0;
    for (size_t i = 0; i < word.len; i++) {
        if (word.s[i] < '0' || word.s[i] > '9')
            return false;
        *ret = *ret * 10 + (word.s[i] - '0');
    }
    return true;
}
