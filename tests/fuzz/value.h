/*
 * value: a reply of Redis out of lines of text, for targets that read replies.
 *
 *     [      an array begins          ]      it ends
 *     :5     an integer               ~      nothing
 *     else   a text, in which '\r' stands for a line feed
 *
 * An array that is not closed ends with the input.  VALUE_DEPTH levels, as the parser of replies allows.
 */
#ifndef HOIST_TESTS_FUZZ_VALUE_H
#define HOIST_TESTS_FUZZ_VALUE_H

#include "shared/redis_internal.h"
#include "tests/fuzz/fuzz.h"

enum { VALUE_DEPTH = 8 };

static inline struct redis_value *value_new(enum redis_type type)
{
    struct redis_value *v = calloc(1, sizeof *v);

    must(v != NULL);
    v->type = type;
    return v;
}

/* Text and items are pieces of memory of their own here, not so those that redis_reply_free gives back. */
static inline void value_free(struct redis_value *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->count; i++)
        value_free(v->items[i]);
    free(v->items);
    free(v->text);
    free(v);
}

static inline void value_add(struct redis_value *array, struct redis_value *item)
{
    if ((array->count & (array->count - 1)) == 0) { /* full: 0, 1, 2, 4 ... */
        size_t size = array->count > 0 ? 2 * array->count : 1;
        array->items = realloc(array->items, size * sizeof *array->items);
        must(array->items != NULL);
    }
    array->items[array->count++] = item;
}

/* line: the value's from now on. */
static inline struct redis_value *value_of_line(char *line, size_t len)
{
    struct redis_value *v = value_new(REDIS_STRING);

    for (char *s = line; (s = memchr(s, '\r', len - (size_t)(s - line)));)
        *s = '\n';
    v->text = line;
    v->len = len;
    return v;
}

/* Of what begins at *at, which moves behind it; the caller frees it (value_free). */
static inline struct redis_value *value_take(const char **at, const char *end,
                                             int depth)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t len = (size_t)((stop ? stop : end) - *at);
    char *line = malloc(len + 1);

    must(line != NULL);
    memcpy(line, *at, len);
    line[len] = '\0';
    *at += len + (stop != NULL);
    if (*line != '[' && *line != '~' && *line != ':')
        return value_of_line(line, len);
    struct redis_value *v = value_new(*line == '[' && depth < VALUE_DEPTH ? REDIS_ARRAY
                                      : *line == ':' ? REDIS_INTEGER
                                                     : REDIS_NIL);
    v->integer = *line == ':' ? strtoll(line + 1, NULL, 10) : 0;
    free(line);
    while (v->type == REDIS_ARRAY && *at < end) {
        if (**at == ']') {
            free(take_line(at, end));
            break;
        }
        value_add(v, value_take(at, end, depth + 1));
    }
    return v;
}

#endif
