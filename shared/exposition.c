#include "shared/exposition.h"

#include "shared/utf8.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_SIZE = 32 };

/* --- Text --- */

static bool is_name(const char *s)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz_";
    return *s && strchr(first, *s) &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz_0123456789") == strlen(s);
}

static bool ends_in(const char *s, const char *end)
{
    size_t len = strlen(s), end_len = strlen(end);
    return len >= end_len && strcmp(s + len - end_len, end) == 0;
}

static void add_escaped(struct buf *b, const char *s, bool quotes)
{
    for (size_t left = strlen(s); left > 0;) {
        uint32_t point;
        size_t len = utf8_decode(s, left, &point);
        if (*s == '\n')
            buf_puts(b, "\\n");
        else if (*s == '\\')
            buf_puts(b, "\\\\");
        else if (*s == '"' && quotes)
            buf_puts(b, "\\\"");
        else if (len == 0)
            buf_puts(b, "\xEF\xBF\xBD");
        else
            buf_add(b, s, len);
        len = len ? len : 1;
        s += len;
        left -= len;
    }
}

/* The fewest digits that give the same number again. */
static void format_number(char text[static NUMBER_SIZE], double value)
{
    if (isnan(value)) {
        (void)snprintf(text, NUMBER_SIZE, "NaN");
    } else if (isinf(value)) {
        (void)snprintf(text, NUMBER_SIZE, value > 0 ? "+Inf" : "-Inf");
    } else {
        (void)snprintf(text, NUMBER_SIZE, "%.15g", value);
        if (strtod(text, NULL) != value)
            (void)snprintf(text, NUMBER_SIZE, "%.17g", value);
    }
}

/* --- Samples --- */

void exposition_begin(struct exposition *x, enum exposition_type type, const char *name,
                      const char *help)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    assert(is_name(name) && strncmp(name, "hoist_", 6) == 0);
    assert((type == EXPOSITION_COUNTER) == ends_in(name, "_total"));
    assert(!x->name || strcmp(x->name, name) != 0);
    x->name = name;
    x->type = type;
    BUF_PUTS(x->out, "# HELP ", name, " ");
    add_escaped(x->out, help, false);
    BUF_PUTS(x->out, "\n# TYPE ", name, " ", types[type], "\n");
}

static void add_labels(struct buf *b, const struct exposition_label *labels,
                       const char **between)
{
    for (; labels && labels->name; labels++) {
        assert(is_name(labels->name));
        BUF_PUTS(b, *between, labels->name, "=\"");
        add_escaped(b, labels->value, true);
        buf_putc(b, '"');
        *between = ",";
    }
}

/* All of a line up to its value. */
static void add_head(struct exposition *x, const char *suffix,
                     const struct exposition_label *labels,
                     const struct exposition_label *last)
{
    const char *between = "{";
    BUF_PUTS(x->out, x->name, suffix);
    add_labels(x->out, x->common, &between);
    add_labels(x->out, labels, &between);
    add_labels(x->out, last, &between);
    buf_puts(x->out, *between == '{' ? " " : "} ");
}

void exposition_int(struct exposition *x, const struct exposition_label *labels,
                    int64_t value)
{
    assert(x->type != EXPOSITION_HISTOGRAM);
    add_head(x, "", labels, NULL);
    buf_add_int(x->out, value);
    buf_putc(x->out, '\n');
}

void exposition_number(struct exposition *x, const struct exposition_label *labels,
                       double value)
{
    char text[NUMBER_SIZE];
    assert(x->type != EXPOSITION_HISTOGRAM);
    format_number(text, value);
    add_head(x, "", labels, NULL);
    BUF_PUTS(x->out, text, "\n");
}

void exposition_ratio(struct exposition *x, const struct exposition_label *labels,
                      int64_t value, int64_t per_unit)
{
    exposition_number(x, labels, (double)value / (double)per_unit);
}

static void add_bucket(struct exposition *x, const struct exposition_label *labels,
                       const char *bound, uint64_t count)
{
    add_head(x, "_bucket", labels, EXPOSITION_LABELS({"le", bound}));
    buf_printf(x->out, "%llu\n", (unsigned long long)count);
}

void exposition_histogram(struct exposition *x, const struct exposition_label *labels,
                          const struct histogram_scale *scale,
                          const struct histogram_sum *h)
{
    char text[NUMBER_SIZE];
    uint64_t count = 0;
    assert(x->type == EXPOSITION_HISTOGRAM);
    for (size_t i = 0; i < scale->count; i++) {
        count += h->buckets[i];
        format_number(text, (double)scale->bounds[i] / (double)scale->per_unit);
        add_bucket(x, labels, text, count);
    }
    count = histogram_count(h);
    add_bucket(x, labels, "+Inf", count);
    format_number(text, (double)h->sum / (double)scale->per_unit);
    add_head(x, "_sum", labels, NULL);
    BUF_PUTS(x->out, text, "\n");
    add_head(x, "_count", labels, NULL);
    buf_printf(x->out, "%llu\n", (unsigned long long)count);
}

void exposition_one(struct exposition *x, enum exposition_type type, const char *name,
                    const char *help, int64_t value)
{
    exposition_begin(x, type, name, help);
    exposition_int(x, NULL, value);
}
