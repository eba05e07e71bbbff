#include "shared/stamp.h"

#include "shared/tz.h"
#include "shared/utf8.h"

#include <string.h>

static void add_time(const struct stamp *s, struct buf *b, int part)
{
    static const struct tz utc = TZ_UTC;
    struct tz_civil at = tz_civil(&utc, s->ms / 1000);
    const int values[] = {at.year, at.month, at.day, at.hour, at.minute, at.second};

    buf_printf(b, part == 0 ? "%04d" : "%02d", values[part]);
}

static void add_id(const struct stamp *s, struct buf *b, int part)
{
    (void)part;
    buf_puts(b, s->id.text);
}

static void add_queue(const struct stamp *s, struct buf *b, int part)
{
    (void)part;
    buf_puts(b, s->job->id.queue);
}

static void add_extension(const struct stamp *s, struct buf *b, int part)
{
    (void)part;
    buf_puts(b, s->ext);
}

/* What a client wrote, as a part of a segment of a key. */
static void add_harmless(struct buf *b, const char *text)
{
    size_t len = strlen(text);
    bool dots = text[strspn(text, ".")] == '\0';

    if (len > STAMP_VALUE_MAX) {
        text += len - STAMP_VALUE_MAX;
        len = STAMP_VALUE_MAX;
    }
    while (len > 0) {
        uint32_t point;
        size_t n = utf8_decode(text, len, &point);
        bool plain = *text != '/' && job_key_is_safe((const char[]){'x', *text}, 2);
        buf_putc(b, plain && !dots ? *text : '_');
        n = n > 0 ? n : 1; /* cut in two, or no UTF-8 */
        text += n;
        len -= n;
    }
}

static void add_name(const struct stamp *s, struct buf *b, int part)
{
    (void)part;
    add_harmless(b, s->job->name ? s->job->name : "file");
}

static const struct word {
    const char *word;
    void (*add)(const struct stamp *s, struct buf *b, int part);
    int part;
    bool of_job;
} words[] = {
    {"yyyy", add_time, 0, false},    {"mm", add_time, 1, false},
    {"dd", add_time, 2, false},      {"hh", add_time, 3, false},
    {"mi", add_time, 4, false},      {"ss", add_time, 5, false},
    {"id", add_id, 0, false},        {"queue", add_queue, 0, true},
    {"ext", add_extension, 0, true}, {"name", add_name, 0, true},
};

static const struct word *find_word(const char *s, size_t len)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i].word) == len && memcmp(words[i].word, s, len) == 0)
            return &words[i];
    return NULL;
}

static enum err_code add_meta(const struct job *j, const char *name, size_t len,
                              struct buf *b, struct err *e)
{
    for (size_t i = 0; i < j->meta_count; i++) {
        if (strlen(j->meta[i].name) != len || memcmp(j->meta[i].name, name, len) != 0)
            continue;
        if (!*j->meta[i].value)
            break;
        add_harmless(b, j->meta[i].value);
        return ERR_OK;
    }
    return err_set(e, ERR_REJECT,
                   "meta.%.*s: is needed here, the object's key is made with it",
                   (int)(len < 64 ? len : 64), name);
}

static enum err_code add_value(const struct stamp *s, const char *word, size_t len,
                               struct buf *b, struct err *e)
{
    static const char meta[] = "meta.";
    const struct word *w = find_word(word, len);
    const size_t head = sizeof meta - 1;

    if (w && (s->job || !w->of_job)) {
        w->add(s, b, w->part);
        return ERR_OK;
    }
    if (s->job && len > head && memcmp(word, meta, head) == 0)
        return add_meta(s->job, word + head, len - head, b, e);
    return err_set(e, ERR_CONFIG,
                   "'{%.*s}' is not one of {yyyy} {mm} {dd} {hh} {mi} {ss} {id}%s",
                   (int)(len < 20 ? len : 20), word,
                   s->job ? " {queue} {ext} {name} {meta.NAME}" : "");
}

enum err_code stamp_expand(const char *template, const struct stamp *s,
                           struct buf *ret_name, struct err *e)
{
    for (const char *at = template; *at;) {
        size_t plain = strcspn(at, "{}");
        buf_add(ret_name, at, plain);
        at += plain;
        if (!*at)
            break;
        size_t len = strcspn(at + 1, "{}");
        if (*at != '{' || at[1 + len] != '}')
            return err_set(e, ERR_CONFIG, "'%.20s' is half a pair of braces", at);
        if (add_value(s, at + 1, len, ret_name, e))
            return e->code;
        at += len + 2;
    }
    return ret_name->failed ? err_set(e, ERR_NOMEM, "a name that is too long") : ERR_OK;
}
