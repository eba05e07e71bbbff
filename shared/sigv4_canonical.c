#include "shared/sigv4_canonical.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

void canonical_items_release(struct canonical_items *t)
{
    buf_release(&t->text);
    t->count = 0;
}

static const char *item_name(const struct canonical_items *t, size_t i)
{
    return t->text.data + t->item[i].name;
}

static const char *item_value(const struct canonical_items *t, size_t i)
{
    return t->text.data + t->item[i].value;
}

/* Item i has the name of the one before it. */
static bool is_repeated(const struct canonical_items *t, size_t i)
{
    return i > 0 && strcmp(item_name(t, i - 1), item_name(t, i)) == 0;
}

void canonical_add_header(struct canonical_items *t, const char *name,
                          const char *value)
{
    struct buf *b = &t->text;

    assert(t->count < CANONICAL_ITEMS_MAX);
    t->item[t->count].name = b->len;
    if (buf_add(b, name, strlen(name) + 1))
        for (char *p = b->data + t->item[t->count].name; *p; p++)
            *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    t->item[t->count++].value = b->len;
    for (const char *p = value + strspn(value, " \t"); *p;) {
        size_t word = strcspn(p, " \t");
        buf_add(b, p, word);
        p += word;
        p += strspn(p, " \t");
        if (*p)
            buf_putc(b, ' ');
    }
    buf_putc(b, '\0');
}

void canonical_add_parameter(struct canonical_items *t, const char *name,
                             const char *value)
{
    struct buf *b = &t->text;

    assert(t->count < CANONICAL_ITEMS_MAX);
    t->item[t->count].name = b->len;
    buf_add_percent(b, name, strlen(name));
    buf_putc(b, '\0');
    t->item[t->count++].value = b->len;
    buf_add_percent(b, value, strlen(value));
    buf_putc(b, '\0');
}

/* Never by "name=value" as one string: '-' sorts before '=' and ':', so that "a-b" would come before "a". */
static int compare(const struct canonical_items *t, size_t a, size_t b, bool by_value)
{
    int order = strcmp(item_name(t, a), item_name(t, b));

    return order == 0 && by_value ? strcmp(item_value(t, a), item_value(t, b)) : order;
}

/* By insertion: stable, and there are few. */
static void sort(struct canonical_items *t, bool by_value)
{
    for (size_t i = 1; i < t->count; i++) {
        for (size_t k = i; k > 0 && compare(t, k - 1, k, by_value) > 0; k--) {
            size_t name = t->item[k].name, value = t->item[k].value;
            t->item[k] = t->item[k - 1];
            t->item[k - 1].name = name;
            t->item[k - 1].value = value;
        }
    }
}

void canonical_sort_headers(struct canonical_items *t)
{
    sort(t, false);
}

void canonical_sort_parameters(struct canonical_items *t)
{
    sort(t, true);
}

void canonical_format_headers(struct buf *b, const struct canonical_items *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (is_repeated(t, i))
            BUF_PUTS(b, ",", item_value(t, i));
        else
            BUF_PUTS(b, i ? "\n" : "", item_name(t, i), ":", item_value(t, i));
    }
    buf_putc(b, '\n');
}

void canonical_format_names(struct buf *b, const struct canonical_items *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (!is_repeated(t, i))
            BUF_PUTS(b, i ? ";" : "", item_name(t, i));
}

void canonical_format_query(struct buf *b, const struct canonical_items *t)
{
    for (size_t i = 0; i < t->count; i++)
        BUF_PUTS(b, i ? "&" : "", item_name(t, i), "=", item_value(t, i));
}

void canonical_format_path(struct buf *b, const char *path)
{
    for (const char *p = path; *p;) {
        size_t segment = strcspn(p, "/");
        buf_add_percent(b, p, segment);
        p += segment;
        if (*p == '/') {
            buf_putc(b, '/');
            p++;
        }
    }
}
