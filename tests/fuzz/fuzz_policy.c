/*
 * fuzz policy: the bytes as a policy, which nobody has signed; and as the object of one that is signed here, so that what is
 * behind the signature is read, too.  What is accepted keeps its own limits.
 */
#include "tests/fuzz/fuzz.h"

#include "fcgi-app/auth/policy.h"
#include "shared/cleanup.h"

#include <stdlib.h>
#include <string.h>

static const char key[] = "0123456789abcdef0123456789abcdef";
static const struct policy_keys keys = {{{key, sizeof key - 1}, {NULL, 0}}};
static const int64_t now = 1795000000;

static void check_limits(const struct policy *p)
{
    struct request_text name = {"queue", 5}, value = {"", 0};
    struct err e = ERR_INIT;
    bool skip;
    must(p->expires > now && p->expires <= now + POLICY_LIFE_MAX);
    must(p->max_files >= 1 && p->min_bytes >= 0 && p->max_bytes >= 0);
    must(p->max_bytes == 0 || p->min_bytes <= p->max_bytes);
    must(p->option_count <= POLICY_OPTIONS_MAX && strlen(p->id) == POLICY_ID_LEN);
    must(policy_check_file(p, (size_t)p->max_files, "", -1, &e) == PROBLEM_POLICY);
    for (size_t i = 0; i < p->option_count; i++) {
        name = (struct request_text){p->options[i].name, strlen(p->options[i].name)};
        value = (struct request_text){p->options[i].value, strlen(p->options[i].value)};
        must(policy_check_option(p, &name, &value, &skip, &e) == PROBLEM_NONE && skip);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(2 * POLICY_TEXT_MAX);
    struct policy_parts parts;
    struct policy p;
    struct err e = ERR_INIT;
    const char *s = (const char *)data;

    policy_init(&p);
    if (policy_split(s, size, &parts)) {
        must(parts.json >= s && parts.mac + parts.mac_len == s + size);
        must(parts.signed_len < size && s[parts.signed_len] == '.');
        must(policy_open(&p, s, &parts, &keys, now, &e) == PROBLEM_POLICY);
    }
    CLEANUP(str_free) char *json = strndup(s, size);
    must(json != NULL);
    if (policy_sign("shop", json, keys.keys[0], &text)) {
        must(policy_split(text.data, text.len, &parts));
        enum problem problem = policy_open(&p, text.data, &parts, &keys, now, &e);
        must(problem == PROBLEM_NONE || problem == PROBLEM_POLICY);
        if (problem == PROBLEM_NONE)
            check_limits(&p);
    }
    policy_release(&p);
    return 0;
}
