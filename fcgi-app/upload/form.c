#include "fcgi-app/upload/form.h"

#include "fcgi-app/upload/multipart.h"

#include <stdio.h>
#include <string.h>

enum { LATE_MAX = 64 /* bytes of a name that are shown */ };

enum part_kind {
    PART_FIELD,
    PART_FILE,
    PART_MAYBE_NONE /* a file without a name: perhaps no file at all */
};

struct form {
    struct multipart parser;
    struct options *options;
    struct batch *batch;
    struct buf field; /* value of the field being read */
    enum part_kind kind;
    char late[LATE_MAX + 1]; /* the first option since the latest file; "": none */
};

static enum problem begin_file(struct form *f, struct err *e)
{
    const struct multipart_part *part = &f->parser.part;
    struct http_digest digest = part->digest;
    struct batch_file file = {.name = part->filename.data,
                              .type = part->type.data,
                              .name_len = part->filename.len,
                              .digest = &digest};
    f->kind = PART_FILE;
    f->late[0] = '\0';
    options_take_digest(f->options, &digest);
    return batch_begin_file(f->batch, f->options, &file, e);
}

static enum problem begin_part(struct form *f, struct err *e)
{
    const struct multipart_part *part = &f->parser.part;
    if (part->has_filename && part->filename.len > 0)
        return begin_file(f, e);
    f->kind = part->has_filename ? PART_MAYBE_NONE : PART_FIELD;
    if (part->has_filename)
        f->late[0] = '\0'; /* they were for the file that was not chosen */
    buf_clear(&f->field);
    return PROBLEM_NONE;
}

static enum problem add_data(struct form *f, struct err *e)
{
    const struct multipart *m = &f->parser;
    if (f->kind == PART_FIELD) {
        if (!buf_add(&f->field, m->data, m->data_len))
            return f->field.starved
                       ? problem_set(e, PROBLEM_INTERNAL, "out of memory")
                       : problem_set(e, PROBLEM_TOO_LARGE,
                                     "a field is longer than %zu bytes", f->field.max);
        return PROBLEM_NONE;
    }
    if (f->kind == PART_MAYBE_NONE) {
        enum problem p = begin_file(f, e);
        if (p)
            return p;
    }
    return batch_write(f->batch, m->data, m->data_len, e);
}

static enum problem end_part(struct form *f, struct err *e)
{
    if (f->kind != PART_FIELD)
        return f->kind == PART_FILE ? batch_end_file(f->batch, e) : PROBLEM_NONE;
    struct request_text name = {f->parser.part.name.data, f->parser.part.name.len};
    struct request_text value = {f->field.data, f->field.len};
    if (!f->late[0])
        (void)snprintf(f->late, sizeof f->late, "%s", name.s);
    return options_set(f->options, &name, &value, e);
}

static enum problem on_event(struct form *f, enum multipart_event event, struct err *e)
{
    switch (event) {
    case MULTIPART_PART:
        return begin_part(f, e);
    case MULTIPART_DATA:
        return add_data(f, e);
    case MULTIPART_PART_END:
        return end_part(f, e);
    case MULTIPART_BAD:
        return problem_set(e,
                           f->parser.no_memory    ? PROBLEM_INTERNAL
                           : f->parser.over_limit ? PROBLEM_TOO_LARGE
                                                  : PROBLEM_BAD_FORM,
                           "%s", f->parser.error);
    default:
        return PROBLEM_NONE;
    }
}

static enum problem read_all(struct form *f, struct form_source *source, struct err *e)
{
    size_t n;
    while ((n = source->read(source->ctx, source->chunk, source->chunk_len)) > 0) {
        source->bytes += (int64_t)n;
        multipart_feed(&f->parser, source->chunk, n);
        enum multipart_event event;
        while ((event = multipart_next(&f->parser)) != MULTIPART_MORE) {
            enum problem p = on_event(f, event, e);
            if (p)
                return p;
        }
    }
    if (!multipart_is_complete(&f->parser))
        return problem_set(e, PROBLEM_INCOMPLETE,
                           "the form's final boundary is missing");
    if (f->options->digest.has)
        return problem_set(e, PROBLEM_BAD_OPTION, "sha256: no file comes after it");
    if (f->late[0] && f->batch->count > 0)
        return problem_set(e, PROBLEM_BAD_OPTION,
                           "%s: an option comes before the files it is for; no file "
                           "comes after it",
                           f->late);
    return PROBLEM_NONE;
}

enum problem form_read(struct form_source *source, const char *content_type,
                       struct options *o, struct batch *b, struct err *e)
{
    const char *boundary;
    size_t len;
    const struct config_http *http = &o->config->http;
    if (multipart_parse_boundary(content_type, strlen(content_type), &boundary, &len,
                                 e))
        return PROBLEM_BAD_FORM;
    struct form f = {.options = o, .batch = b};
    struct multipart_limits limits = {
        .parts = (size_t)http->max_parts,
        .header_bytes = (size_t)http->max_part_header_bytes,
        .headers = (size_t)http->max_part_headers,
        .outside_bytes = (size_t)http->max_preamble_bytes,
    };
    buf_init(&f.field, (size_t)http->max_field_bytes);
    multipart_init(&f.parser, boundary, len, &limits);
    options_enter_form(o);
    enum problem p = read_all(&f, source, e);
    multipart_release(&f.parser);
    buf_release(&f.field);
    return p;
}
