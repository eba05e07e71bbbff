#include "fcgi-app/upload/multipart_find.h"

#include <stdint.h>
#include <string.h>

enum { BLOCK = 16, STRIDE = 4 * BLOCK };

/* The compiler makes SSE2, NEON or plain code of it. */
typedef uint8_t block __attribute__((vector_size(BLOCK)));

static block load(const char *s)
{
    block b;
    memcpy(&b, s, sizeof b);
    return b;
}

static block fill(char c)
{
    return (block){0} + (uint8_t)c;
}

/* Bytes that are not 0 mark the places worth a look among the 16 that begin at s. */
static block mark(const char *s, size_t to_last, block last)
{
    return (block)((load(s) == fill('\r')) & (load(s + 1) == fill('\n')) &
                   (load(s + 2) == fill('-')) & (load(s + to_last) == last));
}

static int is_empty(block b)
{
    uint64_t halves[2];
    memcpy(halves, &b, sizeof halves);
    return (halves[0] | halves[1]) == 0;
}

/* The same, place by place. */
static const char *find_rest(const char *s, const char *end, const char *delimiter,
                             size_t n)
{
    for (; (size_t)(end - s) >= n; s++) {
        s = memchr(s, '\r', (size_t)(end - s) - n + 1);
        if (!s)
            return NULL;
        if (s[1] == '\n' && memcmp(s, delimiter, n) == 0)
            return s;
    }
    return NULL;
}

const char *multipart_find(const char *s, size_t len, const char *delimiter, size_t n)
{
    const char *end = s + len;
    const block last = fill(delimiter[n - 1]);
    for (; (size_t)(end - s) >= n - 1 + STRIDE; s += STRIDE) {
        block marks[STRIDE / BLOCK];
        for (size_t i = 0; i < STRIDE / BLOCK; i++)
            marks[i] = mark(s + i * BLOCK, n - 1, last);
        if (is_empty(marks[0] | marks[1] | marks[2] | marks[3]))
            continue;
        for (size_t i = 0; i < STRIDE; i++)
            if (marks[i / BLOCK][i % BLOCK] && memcmp(s + i, delimiter, n) == 0)
                return s + i;
    }
    return find_rest(s, end, delimiter, n);
}
