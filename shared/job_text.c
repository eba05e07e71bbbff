#include "shared/job_fields.h"

#include <stdlib.h>
#include <string.h>

#include "shared/utf8.h"

enum { REPLACEMENT_LEN = sizeof UTF8_REPLACEMENT - 1 };

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_in(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f);
}

/* Characters that turn the reading direction or break lines: "exe.fdp" must not be shown as "pdf.exe". */
static bool is_layout(uint32_t point)
{
    return point == 0x061c || point == 0x200e || point == 0x200f ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

static bool is_text(const char *s, size_t len, bool layout_allowed)
{
    while (len > 0) {
        uint32_t point;
        size_t n = utf8_decode(s, len, &point);
        if (n == 0 || is_control(point) || (!layout_allowed && is_layout(point)))
            return false;
        s += n;
        len -= n;
    }
    return true;
}

bool job_text_is_plain(const char *s, size_t len)
{
    return is_text(s, len, true);
}

bool job_text_is_word(const char *s, size_t len)
{
    if (len == 0 || !is_alnum(s[0]))
        return false;
    for (size_t i = 1; i < len; i++)
        if (!is_alnum(s[i]) && !is_in(s[i], "._-"))
            return false;
    return true;
}

bool job_text_is_source(const char *s, size_t len)
{
    static const char command[] = "command:";
    const size_t head = sizeof command - 1;

    if (job_text_is_one_of(s, len, "spool", "url") ||
        job_text_is_one_of(s, len, "hook", "hook"))
        return true;
    return len > head && memcmp(s, command, head) == 0 &&
           id_is_queue(s + head, len - head);
}

bool job_text_is_names(const char *s, size_t len)
{
    for (size_t start = 0; start <= len;) {
        const char *comma = memchr(s + start, ',', len - start);
        size_t end = comma ? (size_t)(comma - s) : len;
        if (!id_is_queue(s + start, end - start))
            return false;
        start = end + 1;
    }
    return true;
}

bool job_text_is_graphic(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] <= ' ' || s[i] > '~')
            return false;
    return len > 0;
}

bool job_text_is_one_of(const char *s, size_t len, const char *a, const char *b)
{
    return (len == strlen(a) && memcmp(s, a, len) == 0) ||
           (len == strlen(b) && memcmp(s, b, len) == 0);
}

bool job_text_is_hex(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!is_in(s[i], "0123456789abcdef"))
            return false;
    return len > 0;
}

bool job_text_is_meta_name(const char *s, size_t len)
{
    static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

    for (size_t i = 0; i < len; i++)
        if (!is_in(s[i], set))
            return false;
    return len >= 1 && len <= JOB_META_NAME_MAX && is_alnum(s[0]);
}

/* --- Media types --- */

/* The length of the token (RFC 9110 section 5.6.2) at s. */
static size_t token_len(const char *s, size_t len)
{
    size_t n = 0;

    while (n < len && (is_alnum(s[n]) || is_in(s[n], "!#$%&'*+-.^_`|~")))
        n++;
    return n;
}

/* The length of the quoted string at s, its quotes included; 0 when it is not one of plain ASCII. */
static size_t quoted_len(const char *s, size_t len)
{
    if (len == 0 || s[0] != '"')
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (s[i] == '"')
            return i + 1;
        if (s[i] == '\\')
            i++;
        if (i >= len || s[i] < 0x20 ||
            s[i] == 0x7f) /* plain char: negative above 127 */
            return 0;
    }
    return 0;
}

static size_t blank_len(const char *s, size_t len)
{
    size_t n = 0;

    while (n < len && (s[n] == ' ' || s[n] == '\t'))
        n++;
    return n;
}

/* The length of " ; name=value" at s; 0 when it is not that.  An empty parameter is allowed. */
static size_t parameter_len(const char *s, size_t len)
{
    size_t at = blank_len(s, len);

    if (at == len || s[at] != ';')
        return 0;
    at++;
    at += blank_len(s + at, len - at);
    size_t n = token_len(s + at, len - at);
    if (n == 0)
        return at;
    at += n;
    if (at == len || s[at] != '=')
        return 0;
    at++;
    n = token_len(s + at, len - at);
    if (n == 0)
        n = quoted_len(s + at, len - at);
    return n == 0 ? 0 : at + n;
}

bool job_text_is_type(const char *s, size_t len)
{
    size_t at = token_len(s, len);

    if (at == 0 || at == len || s[at] != '/' || len > JOB_TYPE_MAX)
        return false;
    at++;
    size_t n = token_len(s + at, len - at);
    if (n == 0)
        return false;
    for (at += n; at < len; at += n) {
        n = parameter_len(s + at, len - at);
        if (n == 0)
            return false;
    }
    return true;
}

/* --- Keys --- */

/* "", "." and "..", which name no file. */
static bool is_dots(const char *s, size_t len)
{
    return len == 0 || (s[0] == '.' && (len == 1 || (len == 2 && s[1] == '.')));
}

static bool segment_is_safe(const char *s, size_t len)
{
    return len <= 255 && !is_dots(s, len);
}

bool job_key_is_safe(const char *s, size_t len)
{
    size_t start = 0; /* of the segment that i is in */

    if (len == 0 || len > JOB_KEY_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '/') {
            if (!segment_is_safe(s + start, i - start))
                return false;
            start = i + 1;
        } else if (!is_alnum(s[i]) && !is_in(s[i], "_.=+@,()!' -")) {
            return false;
        }
    }
    return segment_is_safe(s + start, len - start);
}

/* --- File names --- */

char *job_text_clean(const char *s, size_t len, size_t max)
{
    size_t room = len < max / REPLACEMENT_LEN ? len * REPLACEMENT_LEN : max;
    char *text = malloc(room + 1);
    size_t used = 0;

    if (!text)
        return NULL;
    while (len > 0) {
        uint32_t point;
        size_t n = utf8_decode(s, len, &point);
        const char *out = s;
        size_t out_len = n;
        if (n == 0) {
            n = 1;
            out = UTF8_REPLACEMENT;
            out_len = REPLACEMENT_LEN;
        } else if (is_control(point) || is_layout(point)) {
            out = "_";
            out_len = 1;
        }
        if (out_len > room - used)
            break;
        memcpy(text + used, out, out_len);
        used += out_len;
        s += n;
        len -= n;
    }
    text[used] = '\0';
    return text;
}

char *job_text_clean_name(const char *s, size_t len)
{
    size_t start = len;

    while (start > 0 && s[start - 1] != '/' && s[start - 1] != '\\')
        start--;
    char *name = job_text_clean(s + start, len - start, JOB_NAME_MAX);
    if (name && is_dots(name, strlen(name))) {
        free(name);
        name = strdup("file");
    }
    return name;
}

bool job_text_is_name(const char *s, size_t len)
{
    return len <= JOB_NAME_MAX && is_text(s, len, false) && !memchr(s, '/', len) &&
           !memchr(s, '\\', len) && !is_dots(s, len);
}
