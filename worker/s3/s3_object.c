#include "worker/s3/s3_object.h"

#include <stdbool.h>
#include <string.h>

#include "shared/utf8.h"

/* May stand between the quotes of filename="..." and means itself to every browser: those read %XX in it. */
static bool is_plain(char c)
{
    return c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '%';
}

static void add_filename(struct buf *b, const char *name)
{
    size_t len = strlen(name), at = 0;
    bool plain = true;

    buf_puts(b, "filename=\"");
    while (at < len) {
        uint32_t point;
        size_t n = utf8_decode(name + at, len - at, &point);
        bool same = is_plain(name[at]);
        buf_putc(b, same ? name[at] : '_');
        plain &= same;
        at += n > 0 ? n : 1;
    }
    buf_putc(b, '"');
    if (plain)
        return;
    buf_puts(b, "; filename*=UTF-8''");
    buf_add_percent(b, name, len);
}

void s3_object_add_disposition(struct buf *b, const char *template, const char *name)
{
    static const char word[] = "{name}";
    const char *at;

    while ((at = strstr(template, word))) {
        buf_add(b, template, (size_t)(at - template));
        add_filename(b, name);
        template = at + sizeof word - 1;
    }
    buf_puts(b, template);
}

void s3_object_add_tags(struct buf *b, const char *tags)
{
    while (*tags) {
        size_t len = strcspn(tags, "&"), name = strcspn(tags, "=&");
        buf_add_percent(b, tags, name);
        if (name < len) {
            buf_putc(b, '=');
            buf_add_percent(b, tags + name + 1, len - name - 1);
        }
        tags += len;
        if (*tags == '&') {
            buf_putc(b, '&');
            tags++;
        }
    }
}
