#include "shared/parts_journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 9, SUM_LEN = 10 /* " #" and 8 digits */ };

void parts_journal_release(struct parts_journal *j)
{
    free(j->destination);
    free(j->bucket);
    free(j->key);
    free(j->checksum);
    for (size_t i = 0; i < j->upload_count; i++)
        free(j->uploads[i].id);
    for (size_t i = 0; i < j->part_count; i++)
        free(j->parts[i].etag);
    free(j->parts);
    *j = (struct parts_journal)PARTS_JOURNAL_INIT;
}

/* --- words --- */

struct words {
    char *at[WORDS_MAX];
    size_t count;
};

/* Decimal digits only, at most most; -1 for anything else. */
static int64_t number_of(const char *s, int64_t most)
{
    int64_t n = 0;

    if (!*s)
        return -1;
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || n > most / 10)
            return -1;
        n = n * 10 + (*s - '0');
    }
    return n <= most ? n : -1;
}

static bool is_crc(const char *s, uint32_t *ret)
{
    uint8_t bytes[DIGEST_CRC32C_BYTES];

    if (!digest_hex_decode(s, strlen(s), bytes, sizeof bytes))
        return false;
    *ret = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | bytes[3];
    return true;
}

/* %XX decoded in place; false: not as parts_journal_add_… writes it, empty, too long, or not printable ASCII. */
static bool decode(char *s, size_t most)
{
    char *to = s;
    uint8_t byte;

    for (const char *p = s; *p; p++) {
        byte = (uint8_t)*p;
        if (*p == '%') {
            if (!p[1] || !p[2] || !digest_hex_decode(p + 1, 2, &byte, 1))
                return false;
            p += 2;
        }
        if (byte < ' ' || byte > '~')
            return false;
        *to++ = (char)byte;
    }
    *to = '\0';
    return to > s && (size_t)(to - s) <= most;
}

/* --- lines --- */

static bool copy_head(struct parts_journal *j, const struct words *w)
{
    j->destination = strdup(w->at[2]);
    j->bucket = strdup(w->at[3]);
    j->key = strdup(w->at[4]);
    j->checksum = strdup(w->at[7]);
    return j->destination && j->bucket && j->key && j->checksum;
}

/* False: no memory. */
static bool take_head(struct parts_journal *j, struct words *w)
{
    int64_t size = strcmp(w->at[5], "-") == 0 ? -1 : number_of(w->at[5], INT64_MAX / 2);
    int64_t part_size = number_of(w->at[6], INT64_MAX / 2);
    uint8_t sum[DIGEST_SHA256_BYTES];
    const char *sha256 = strcmp(w->at[8], "-") == 0 ? "" : w->at[8];

    bool fine =
        strcmp(w->at[1], "1") == 0 && id_is_queue(w->at[2], strlen(w->at[2])) &&
        decode(w->at[3], PARTS_JOURNAL_TEXT_MAX) &&
        decode(w->at[4], PARTS_JOURNAL_TEXT_MAX) && part_size >= 0 &&
        (size >= 0 || strcmp(w->at[5], "-") == 0) &&
        (!*sha256 || digest_hex_decode(sha256, strlen(sha256), sum, sizeof sum));
    struct parts_journal_head head = {w->at[2],  w->at[3], w->at[4], size,
                                      part_size, w->at[7], sha256};
    if (!fine || (j->key && !parts_journal_is_of(j, &head))) {
        j->bad++; /* none, or that of another object */
        return true;
    }
    if (j->key)
        return true; /* two that began at once */
    j->size = size;
    j->part_size = part_size;
    memcpy(j->sha256, sha256, strlen(sha256) + 1);
    return copy_head(j, w);
}

static struct parts_journal_upload *find_upload(struct parts_journal *j, const char *id)
{
    for (size_t i = 0; i < j->upload_count; i++)
        if (strcmp(j->uploads[i].id, id) == 0)
            return &j->uploads[i];
    return NULL;
}

static void drop_parts(struct parts_journal *j)
{
    for (size_t i = 0; i < j->part_count; i++)
        free(j->parts[i].etag);
    free(j->parts);
    j->parts = NULL;
    j->part_count = 0;
}

bool parts_journal_note_upload(struct parts_journal *j, const char *id)
{
    char *copy = j->upload_count < PARTS_JOURNAL_UPLOADS_MAX ? strdup(id) : NULL;

    if (!copy)
        return false;
    j->uploads[j->upload_count++] = (struct parts_journal_upload){.id = copy};
    drop_parts(j);
    return true;
}

void parts_journal_note_gone(struct parts_journal *j, const char *id)
{
    struct parts_journal_upload *u = find_upload(j, id);

    if (u)
        u->gone = true;
}

static bool take_upload(struct parts_journal *j, char *id)
{
    if (!decode(id, PARTS_JOURNAL_ID_MAX) || find_upload(j, id) ||
        j->upload_count == PARTS_JOURNAL_UPLOADS_MAX) {
        j->bad++;
        return true;
    }
    return parts_journal_note_upload(j, id);
}

/* How many parts there is memory for where there are so many. */
static size_t room_of(size_t parts)
{
    size_t room = parts > 0;

    while (room < parts)
        room *= 2;
    return room;
}

/* Room for part number. */
static bool make_room(struct parts_journal *j, size_t number)
{
    if (number <= j->part_count)
        return true;
    if (number > room_of(j->part_count)) {
        struct parts_journal_part *parts =
            reallocarray(j->parts, room_of(number), sizeof *parts);
        if (!parts)
            return false;
        j->parts = parts;
    }
    memset(j->parts + j->part_count, 0, (number - j->part_count) * sizeof *j->parts);
    j->part_count = number;
    return true;
}

static bool take_part(struct parts_journal *j, struct words *w)
{
    const struct parts_journal_upload *u =
        j->upload_count > 0 ? &j->uploads[j->upload_count - 1] : NULL;
    struct parts_journal_part part = {.etag = w->at[3]};
    int64_t number = number_of(w->at[2], PARTS_JOURNAL_PARTS_MAX);
    uint32_t tag = 0;

    part.has_sha256 = strcmp(w->at[5], "-") != 0;
    if (!u || number < 1 || !is_crc(w->at[1], &tag) ||
        !decode(w->at[3], PARTS_JOURNAL_ETAG_MAX) || !is_crc(w->at[4], &part.crc32c) ||
        (part.has_sha256 && !digest_hex_decode(w->at[5], strlen(w->at[5]), part.sha256,
                                               sizeof part.sha256))) {
        j->bad++;
        return true;
    }
    if (tag != digest_crc32c(0, u->id, strlen(u->id)))
        return true; /* of an earlier upload */
    if (!make_room(j, (size_t)number) || !(part.etag = strdup(part.etag)))
        return false;
    free(j->parts[number - 1].etag);
    j->parts[number - 1] = part;
    return true;
}

static void take_gone(struct parts_journal *j, char *id)
{
    struct parts_journal_upload *u =
        decode(id, PARTS_JOURNAL_ID_MAX) ? find_upload(j, id) : NULL;

    if (u)
        u->gone = true;
    else
        j->bad++;
}

static bool take_words(struct parts_journal *j, struct words *w)
{
    const char *verb = w->count > 0 ? w->at[0] : "";

    if (strcmp(verb, "parts") == 0 && w->count == 9)
        return take_head(j, w);
    if (strcmp(verb, "create") == 0 && w->count == 1)
        j->creates++;
    else if (strcmp(verb, "refused") == 0 && w->count == 1)
        j->creates -= j->creates > 0;
    else if (strcmp(verb, "upload") == 0 && w->count == 2)
        return take_upload(j, w->at[1]);
    else if (strcmp(verb, "part") == 0 && w->count == 6)
        return take_part(j, w);
    else if (strcmp(verb, "gone") == 0 && w->count == 2)
        take_gone(j, w->at[1]);
    else
        j->bad++;
    return true;
}

/* One line, without its end.  False: no memory. */
static bool take_line(struct parts_journal *j, const char *line, size_t len)
{
    char text[PARTS_JOURNAL_LINE_MAX + 1], *save = NULL;
    struct words w = {.count = 0};
    uint32_t sum;

    if (len <= SUM_LEN || len > PARTS_JOURNAL_LINE_MAX || memchr(line, '\0', len)) {
        j->bad++;
        return true;
    }
    memcpy(text, line, len);
    text[len] = '\0';
    size_t body = len - SUM_LEN;
    if (memcmp(text + body, " #", 2) != 0 || !is_crc(text + body + 2, &sum) ||
        sum != digest_crc32c(0, text, body)) {
        j->bad++;
        return true;
    }
    text[body] = '\0';
    for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
        if (w.count == WORDS_MAX) {
            j->bad++;
            return true;
        }
        w.at[w.count++] = p;
    }
    return take_words(j, &w);
}

enum err_code parts_journal_parse(const char *text, size_t len, struct parts_journal *j,
                                  struct err *e)
{
    const char *at = text, *end = text + len;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            break; /* a crash cut it off, or it is being written */
        if (!take_line(j, at, (size_t)(stop - at))) {
            parts_journal_release(j);
            return err_set(e, ERR_NOMEM, "no memory for a journal of parts");
        }
        at = stop + 1;
    }
    return ERR_OK;
}

/* --- questions --- */

bool parts_journal_is_of(const struct parts_journal *j,
                         const struct parts_journal_head *head)
{
    return j->key && strcmp(j->destination, head->destination) == 0 &&
           strcmp(j->bucket, head->bucket) == 0 && strcmp(j->key, head->key) == 0 &&
           j->size == head->size && j->part_size == head->part_size &&
           strcmp(j->checksum, head->checksum) == 0 &&
           strcmp(j->sha256, head->sha256) == 0;
}

bool parts_journal_is_unsure(const struct parts_journal *j)
{
    return j->bad > 0 || j->creates > j->upload_count;
}

const struct parts_journal_upload *parts_journal_current(const struct parts_journal *j)
{
    const struct parts_journal_upload *u =
        j->upload_count > 0 ? &j->uploads[j->upload_count - 1] : NULL;

    return u && !u->gone ? u : NULL;
}

/* --- writing --- */

/* End the line that began at start. */
static void seal(struct buf *b, size_t start)
{
    if (!b->failed)
        buf_printf(b, " #%08" PRIx32 "\n",
                   digest_crc32c(0, b->data + start, b->len - start));
}

static void add_word(struct buf *b, const char *s)
{
    buf_putc(b, ' ');
    buf_add_percent(b, s, strlen(s));
}

void parts_journal_add_head(struct buf *b, const struct parts_journal_head *head)
{
    size_t start = b->len;

    buf_puts(b, "parts 1");
    add_word(b, head->destination);
    add_word(b, head->bucket);
    add_word(b, head->key);
    if (head->size < 0)
        buf_puts(b, " -");
    else
        buf_printf(b, " %" PRId64, head->size);
    buf_printf(b, " %" PRId64 " %s %s", head->part_size, head->checksum,
               head->sha256[0] ? head->sha256 : "-");
    seal(b, start);
}

void parts_journal_add_create(struct buf *b)
{
    size_t start = b->len;

    buf_puts(b, "create");
    seal(b, start);
}

void parts_journal_add_refused(struct buf *b)
{
    size_t start = b->len;

    buf_puts(b, "refused");
    seal(b, start);
}

static void add_about(struct buf *b, const char *verb, const char *id)
{
    size_t start = b->len;

    buf_puts(b, verb);
    add_word(b, id);
    seal(b, start);
}

void parts_journal_add_upload(struct buf *b, const char *id)
{
    add_about(b, "upload", id);
}

void parts_journal_add_gone(struct buf *b, const char *id)
{
    add_about(b, "gone", id);
}

void parts_journal_add_part(struct buf *b, const char *id, int number,
                            const struct parts_journal_part *part)
{
    size_t start = b->len;
    char sha256[DIGEST_SHA256_HEX + 1] = "-";

    if (part->has_sha256)
        digest_hex_encode(part->sha256, sizeof part->sha256, sha256);
    buf_printf(b, "part %08" PRIx32 " %d", digest_crc32c(0, id, strlen(id)), number);
    add_word(b, part->etag);
    buf_printf(b, " %08" PRIx32 " %s", part->crc32c, sha256);
    seal(b, start);
}
