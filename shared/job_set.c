#include "shared/job_set.h"

#include "shared/job_fields.h"

#include <assert.h>

static const struct job_field *find_asked(const char *name)
{
    const struct job_field *f = job_field_find(name);

    assert(f && f->kind == JOB_KIND_TEXT && f->flags & JOB_ASKED);
    return f;
}

enum err_code job_set_asked(struct job *j, const char *name, const char *s, size_t len,
                            struct err *e)
{
    return job_field_set_text(j, find_asked(name), s, len, e);
}

bool job_may_ask(const char *name, const char *s, size_t len)
{
    const struct job_field *f = find_asked(name);

    return len >= (size_t)f->min && len <= (size_t)f->max && f->is_valid(s, len);
}
