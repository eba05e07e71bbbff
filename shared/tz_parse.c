/* TZif, RFC 9636 section 3: a header, a block of counted tables, and from version 2 on both once more with times of 64
 * bits, then the footer.  Numbers are big-endian. */
#include "shared/tz_internal.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_SIZE = 44, COUNTS_AT = 20, TYPE_SIZE = 6, TYPES_MAX = 256 };

/* What is left of the file. */
struct bytes {
    const uint8_t *p;
    size_t left;
};

struct head {
    char version; /* NUL for 1, or the digit */
    uint32_t ut_count, standard_count, leap_count, time_count, type_count, char_count;
};

static enum err_code bad(struct err *e, const char *what)
{
    return err_set(e, ERR_CONFIG, "not a time zone: %s", what);
}

/* The next n bytes; NULL when there are fewer. */
static const uint8_t *take(struct bytes *b, uint64_t n)
{
    const uint8_t *p = b->p;

    if (n > b->left)
        return NULL;
    b->p += n;
    b->left -= (size_t)n;
    return p;
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t get_time(const uint8_t *p, size_t size)
{
    if (size == 4)
        return (int32_t)get_u32(p);
    return (int64_t)((uint64_t)get_u32(p) << 32 | get_u32(p + 4));
}

static bool take_head(struct bytes *b, struct head *ret)
{
    const uint8_t *p = take(b, HEAD_SIZE);

    if (!p || memcmp(p, "TZif", 4) != 0)
        return false;
    *ret = (struct head){
        .version = (char)p[4],
        .ut_count = get_u32(p + COUNTS_AT),
        .standard_count = get_u32(p + COUNTS_AT + 4),
        .leap_count = get_u32(p + COUNTS_AT + 8),
        .time_count = get_u32(p + COUNTS_AT + 12),
        .type_count = get_u32(p + COUNTS_AT + 16),
        .char_count = get_u32(p + COUNTS_AT + 20),
    };
    return true;
}

static uint64_t block_size(const struct head *h, size_t time_size)
{
    return (uint64_t)h->time_count * (time_size + 1) +
           (uint64_t)h->type_count * TYPE_SIZE + h->char_count +
           (uint64_t)h->leap_count * (time_size + 4) + h->standard_count + h->ut_count;
}

static enum err_code check_head(const struct head *h, struct err *e)
{
    if (h->leap_count > 0)
        return bad(e, "it counts leap seconds, as the zones under right/ do: name the "
                      "zone without right/");
    if (h->time_count > TZ_SHIFTS_MAX)
        return err_set(e, ERR_CONFIG,
                       "not a time zone: more than %d changes of the clock",
                       TZ_SHIFTS_MAX);
    if (h->type_count == 0 || h->type_count > TYPES_MAX || h->char_count == 0)
        return bad(e, "the number of kinds of local time is not 1 to 256");
    if ((h->ut_count > 0 && h->ut_count != h->type_count) ||
        (h->standard_count > 0 && h->standard_count != h->type_count))
        return bad(e, "the counts of its header do not agree");
    return ERR_OK;
}

/* The kinds of local time: offset (4 bytes), whether it is daylight saving time, where its name stands. */
static enum err_code check_types(const struct head *h, const uint8_t *types,
                                 struct err *e)
{
    for (uint32_t i = 0; i < h->type_count; i++) {
        const uint8_t *type = types + (size_t)i * TYPE_SIZE;
        int64_t offset_s = get_time(type, 4);
        if (offset_s < -TZ_OFFSET_MAX || offset_s > TZ_OFFSET_MAX)
            return bad(e, "an offset of more than 26 hours");
        if (type[4] > 1 || type[5] >= h->char_count)
            return bad(e, "a kind of local time that is none");
    }
    return ERR_OK;
}

/* The tables of a block, from where its times stand. */
static enum err_code fill(struct tz *tz, const struct head *h, const uint8_t *times,
                          size_t time_size, struct err *e)
{
    const uint8_t *indexes = times + (size_t)h->time_count * time_size;
    const uint8_t *types = indexes + h->time_count;
    enum err_code code = check_types(h, types, e);

    if (code)
        return code;
    tz->first_offset_s = (int32_t)get_u32(types);
    if (h->time_count == 0)
        return ERR_OK;
    tz->shifts = calloc(h->time_count, sizeof *tz->shifts);
    if (!tz->shifts)
        return err_set(e, ERR_NOMEM, "tz: out of memory");
    for (uint32_t i = 0; i < h->time_count; i++) {
        struct tz_shift *s = &tz->shifts[i];
        s->at_s = get_time(times + i * time_size, time_size);
        if (i > 0 && s->at_s <= s[-1].at_s)
            return bad(e, "its times are not in ascending order");
        if (indexes[i] >= h->type_count)
            return bad(e, "a time without its kind of local time");
        s->offset_s = (int32_t)get_u32(types + (size_t)indexes[i] * TYPE_SIZE);
    }
    tz->count = h->time_count;
    return ERR_OK;
}

/* "\nCET-1CEST,M3.5.0,M10.5.0/3\n"; nothing between the line ends where no rule is known. */
static enum err_code take_footer(struct tz *tz, struct bytes *b, struct err *e)
{
    const uint8_t *start = take(b, 1);

    if (!start || *start != '\n')
        return bad(e, "it has no footer");
    const char *text = (const char *)b->p;
    const char *end = memchr(text, '\n', b->left);
    if (!end)
        return bad(e, "its footer is cut short");
    if (end > text && !tz_rule_parse(text, (size_t)(end - text), &tz->rule))
        return bad(e, "its footer is not a rule for the years to come");
    return ERR_OK;
}

static enum err_code parse_into(struct tz *tz, struct bytes b, struct err *e)
{
    struct head h;
    size_t time_size = 4;
    enum err_code code;

    if (!take_head(&b, &h))
        return bad(e, "there is no TZif header");
    if (h.version != '\0' && (h.version < '2' || h.version > '4'))
        return bad(e, "the version of TZif is not 1 to 4");
    bool has_footer = h.version != '\0';
    if (has_footer) {
        time_size = 8;
        if (!take(&b, block_size(&h, 4)) || !take_head(&b, &h))
            return bad(e, "it is cut short");
    }
    if ((code = check_head(&h, e)))
        return code;
    const uint8_t *times = take(&b, block_size(&h, time_size));
    if (!times)
        return bad(e, "it is cut short");
    if ((code = fill(tz, &h, times, time_size, e)))
        return code;
    return has_footer ? take_footer(tz, &b, e) : ERR_OK;
}

enum err_code tz_parse(const void *bytes, size_t len, struct tz *ret_tz, struct err *e)
{
    struct bytes b = {bytes, len};
    struct tz tz = TZ_UTC;
    enum err_code code = parse_into(&tz, b, e);

    if (code)
        tz_release(&tz);
    else
        *ret_tz = tz;
    return code;
}
