#include "shared/config_file.h"

#include "shared/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

enum { PIECE = 4096 };

static const char blanks[] = " \t\r\v\f";

/* What inih's handler needs to know. */
struct taker {
    struct config_line *line;
    config_line_fn *fn;
    void *user;
    struct err *e;
    enum err_code code;
    bool called;
};

/* inih's handler: 1 is success. */
static int take(void *user, const char *section, const char *name, const char *value)
{
    struct taker *t = user;

    t->called = true;
    if (t->line->section) {
        t->line->section = section;
    } else {
        t->line->key = name;
        t->line->value = value;
    }
    t->code = t->fn(t->user, t->line, t->e);
    return t->code == ERR_OK;
}

/* The rest of a section line after its bracket must be empty or a comment; inih would drop it. */
static bool is_section_end_clean(const char *line)
{
    const char *end = strchr(line, ']');

    if (!end)
        return false;
    end += 1 + strspn(end + 1, blanks);
    return *end == '\0' || *end == ';' || *end == '#';
}

static bool has_comment(const char *line)
{
    for (const char *p = line; *p; p++)
        if (*p == ';' && p > line && strchr(blanks, p[-1]))
            return true;
    return false;
}

/* Line is without its end and without leading blanks, not empty and not a comment. */
static enum err_code take_line(struct taker *t, const char *line)
{
    bool is_section = line[0] == '[';
    /* inih tells of a section by its first setting only, so it gets one: the nameless. */
    char text[CONFIG_LINE_MAX + sizeof "\n=\n"];

    if (is_section && !is_section_end_clean(line))
        return err_set(t->e, ERR_CONFIG, "expected [section] or [section NAME]");
    t->line->section = is_section ? line : NULL;
    t->line->commented = has_comment(line);
    (void)snprintf(text, sizeof text, "%s\n%s", line, is_section ? "=\n" : "");
    t->called = false;
    t->code = ERR_OK;
    int bad_line = ini_parse_string(text, take, t);
    if (t->code != ERR_OK)
        return t->code;
    if (bad_line != 0 || !t->called)
        return err_set(t->e, ERR_CONFIG, "'%.60s' is not [section] or key = value",
                       line);
    return ERR_OK;
}

/* start is len bytes long, without the newline. */
static enum err_code take_raw_line(struct taker *t, const char *start, size_t len)
{
    char line[CONFIG_LINE_MAX + 1];
    size_t indent;

    if (len > 0 && start[len - 1] == '\r')
        len--;
    for (indent = 0; indent < len && strchr(blanks, start[indent]); indent++)
        ;
    start += indent;
    len -= indent;
    if (len == 0 || *start == '#' || *start == ';')
        return ERR_OK;
    if (len > CONFIG_LINE_MAX)
        return err_set(t->e, ERR_CONFIG,
                       "the line has %zu bytes, at most %d are allowed: a longer value "
                       "goes into the environment or, if secret, a file",
                       len, CONFIG_LINE_MAX);
    memcpy(line, start, len);
    line[len] = '\0';
    return take_line(t, line);
}

enum err_code config_file_parse(const char *name, const char *text, config_line_fn *fn,
                                void *user, struct err *e)
{
    static const char bom[] = "\xef\xbb\xbf";
    struct config_line line = {0};
    struct taker t = {.line = &line, .fn = fn, .user = user, .e = e};

    if (strncmp(text, bom, sizeof bom - 1) == 0)
        text += sizeof bom - 1;
    while (*text) {
        size_t len = strcspn(text, "\n");
        line.number++;
        if (take_raw_line(&t, text, len))
            return err_prefix(e, "%.120s:%d", name, line.number);
        text += len + (text[len] == '\n');
    }
    return ERR_OK;
}

static enum err_code read_pieces(int fd, const char *path, struct buf *b,
                                 char chunk[static PIECE], struct err *e)
{
    for (;;) {
        ssize_t n = read(fd, chunk, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, ERR_CONFIG, "%.120s", path);
        if (n == 0)
            return ERR_OK;
        if (memchr(chunk, '\0', (size_t)n))
            return err_set(e, ERR_CONFIG, "%.120s: has a NUL byte: not a text file",
                           path);
        if (!buf_add(b, chunk, (size_t)n))
            return err_set(e, ERR_CONFIG, "%.120s: longer than %zu bytes", path,
                           b->max);
    }
}

static enum err_code read_all(int fd, const char *path, struct buf *b, struct err *e)
{
    char chunk[PIECE];
    enum err_code code = read_pieces(fd, path, b, chunk, e);

    explicit_bzero(chunk, sizeof chunk); /* it may be secret */
    return code;
}

enum err_code config_file_read(const char *path, struct buf *b, mode_t *ret_mode,
                               struct err *e)
{
    struct stat st;
    /* Not blocking: opening a FIFO would wait for its writer. */
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(e, ERR_CONFIG, "%.120s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_CONFIG, "%.120s: is not a regular file", path);
    if (read_all(fd, path, b, e))
        return e->code;
    *ret_mode = st.st_mode & 07777;
    return ERR_OK;
}

enum err_code config_file_read_private(const char *path, struct buf *b, struct err *e)
{
    mode_t mode;

    if (config_file_read(path, b, &mode, e))
        return e->code;
    if (mode & 0027)
        return err_set(
            e, ERR_CONFIG,
            "%.120s: mode is %04o, but others must not read or write it, nor "
            "its group write it: chmod 0400 or 0440",
            path, (unsigned)mode);
    return ERR_OK;
}

static bool is_one_line(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

/* The secret without its line end, of which a copy goes to *ret_secret. */
static enum err_code take_secret(const char *path, struct buf *b, char **ret_secret,
                                 struct err *e)
{
    size_t len = b->len;

    if (len > 0 && b->data[len - 1] == '\n')
        len--;
    if (len > 0 && b->data[len - 1] == '\r')
        len--;
    if (b->len > 0)
        b->data[len] = '\0';
    if (len == 0 || !is_one_line(b->data))
        return err_set(e, ERR_CONFIG, "%.120s: is not one line of text", path);
    char *secret = strndup(b->data, len);
    if (!secret)
        return err_set(e, ERR_NOMEM, "out of memory");
    *ret_secret = secret;
    return ERR_OK;
}

enum err_code config_file_read_secret(const char *path, char **ret_secret,
                                      struct err *e)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(CONFIG_SECRET_FILE_MAX);
    enum err_code code = config_file_read_private(path, &b, e);

    if (code == ERR_OK)
        code = take_secret(path, &b, ret_secret, e);
    explicit_bzero(b.data, b.len);
    return code;
}
