#include "worker/s3/s3_error.h"

#include <string.h>

struct reading {
    struct s3_error found;
    bool has_code, has_message;
};

static void on_text(size_t depth, struct s3_xml_span name, struct s3_xml_span text,
                    void *ctx)
{
    struct reading *r = ctx;

    if (depth != 2)
        return;
    if (s3_xml_is(name, "Code") && !r->has_code) {
        r->has_code = true;
        (void)s3_xml_copy(text, r->found.code, sizeof r->found.code);
    } else if (s3_xml_is(name, "Message") && !r->has_message) {
        r->has_message = true;
        (void)s3_xml_copy(text, r->found.message, sizeof r->found.message);
    }
}

bool s3_error_parse(const char *body, size_t len, struct s3_error *ret)
{
    struct reading r = {.has_code = false};
    struct s3_xml_visitor v = {.on_text = on_text, .ctx = &r};
    struct s3_xml xml;

    *ret = (struct s3_error){.is_error = false};
    if (!s3_xml_read(body, len, &v, &xml))
        return false;
    memcpy(r.found.root, xml.root, sizeof r.found.root);
    r.found.is_complete = xml.is_complete;
    r.found.is_error = strcmp(xml.root, "Error") == 0;
    *ret = r.found;
    return true;
}
