/* What a policy leaves of the options. */
#include "fcgi-app/upload/options.h"

#include <string.h>

/* What the policy says, as if the client had said it. */
enum problem options_apply_policy(struct options *o, struct err *e)
{
    const struct policy *p = o->policy;
    for (size_t i = 0; p && i < p->option_count; i++) {
        const char *name = p->options[i].name, *value = p->options[i].value;
        const struct request_text n = {name, strlen(name)}, v = {value, strlen(value)};
        enum problem problem = options_put(o, &n, &v, e);
        if (problem)
            return problem;
    }
    return PROBLEM_NONE;
}

/* That of query and headers is known already. */
static enum problem take_policy(struct options *o, const struct request_text *value,
                                struct err *e)
{
    if (!o->in_form)
        return PROBLEM_NONE;
    if (!o->find_policy)
        return problem_set(e, PROBLEM_BAD_OPTION, "policy: %s",
                           o->policy ? "given twice"
                                     : "not next to another authorisation");
    options_policy_fn *find = o->find_policy;
    o->find_policy = NULL;
    enum problem p = find(o->find_ctx, value, &o->policy, e);
    return p ? p : options_apply_policy(o, e);
}

enum problem options_set(struct options *o, const struct request_text *name,
                         const struct request_text *value, struct err *e)
{
    bool skip = false;
    enum problem p = PROBLEM_NONE;
    if (name->len == 6 && memcmp(name->s, "policy", 6) == 0)
        return take_policy(o, value, e);
    if (o->find_policy)
        return problem_set(e, PROBLEM_UNAUTHORIZED,
                           "a policy is wanted, in front of other options");
    if (o->policy)
        p = policy_check_option(o->policy, name, value, &skip, e);
    return p || skip ? p : options_put(o, name, value, e);
}
