/*
 * config_file: reading files and taking INI text apart.  The only module that sees inih.  Private to config*.c, but for the
 * two that read a secret: whoever was told where one is may read it again.
 *
 * The form of the text:
 *
 *     # a comment line, also with ;          [section]  [section NAME]
 *     key = value  ; a comment               key: value
 *
 *   - Blanks around names and values do not count.  A line that starts with blanks is a line like any other: there
 *     are no continuation lines, so that an indented setting is not taken for more of the value above it.
 *   - ';' after a blank starts a comment, '#' in a value does not.  `commented` tells so, for values in which
 *     losing the rest would go unnoticed.
 *   - A line may have CONFIG_LINE_MAX bytes, comment lines any number; a longer one is an error, not cut.
 *   - A section is told even when nothing stands in it.
 *
 * inih is asked about one line at a time: as Debian builds it (lines of 200 bytes, continuation lines on, stop at the
 * first error off) it would cut long lines in two and keep silent about empty sections.
 * Thread-safe.
 */
#ifndef HOIST_SHARED_CONFIG_FILE_H
#define HOIST_SHARED_CONFIG_FILE_H

#include "shared/buf.h"
#include "shared/err.h"

#include <stdbool.h>
#include <sys/stat.h>

enum {
    CONFIG_LINE_MAX = 197,         /* inih's buffer of 200 less "\r\n" and NUL */
    CONFIG_FILE_MAX = 256 * 1024,  /* bytes of a configuration file */
    CONFIG_SECRET_FILE_MAX = 4096, /* bytes of a file with one secret */
};

struct config_line {
    int number; /* from 1 */
    /* Of a section line: what stands between the brackets; else NULL. */
    const char *section;
    const char *key;   /* of a setting */
    const char *value; /* of a setting; may be "" */
    bool commented;    /* a comment was dropped from the end of the line */
};

/* What is done with a line.  Anything but ERR_OK ends the parse. */
typedef enum err_code config_line_fn(void *user, const struct config_line *line,
                                     struct err *e);

/* Call fn for each section and setting of text.  Stops at the first error, fn's included, and puts "name:LINE: " in
 * front of it.  ERR_CONFIG: a line that is none of the above. */
MUST_CHECK enum err_code config_file_parse(const char *name, const char *text,
                                           config_line_fn *fn, void *user,
                                           struct err *e);

/* Append the content of a regular file, as long as b's maximum allows.  *ret_mode are its permissions.
 * ERR_CONFIG with the path: not there, not readable, not a regular file, too long, or with a NUL byte in it. */
MUST_CHECK enum err_code config_file_read(const char *path, struct buf *b,
                                          mode_t *ret_mode, struct err *e);

/* The same for a file with secrets.  ERR_CONFIG too for one that others may read or write, or its group write (0027).  What
 * is in b is then the caller's to wipe. */
MUST_CHECK enum err_code config_file_read_private(const char *path, struct buf *b,
                                                  struct err *e);

/* Read a file that holds one secret, without the line end at its end.  The caller frees *ret_secret.
 * ERR_CONFIG as above, and for a file that holds more than a line.  Group may read: systemd hands credentials over with an access list, which shows as mode 0440. */
MUST_CHECK enum err_code config_file_read_secret(const char *path, char **ret_secret,
                                                 struct err *e);

#endif
