#include "worker/convert/convert_env.h"

#include <string.h>

enum { TEXT_MAX = 16 * 1024 };

static void add(struct convert_env *env, size_t starts[], size_t *count,
                const char *name, const char *value)
{
    starts[(*count)++] = env->text.len;
    buf_puts(&env->text, name);
    buf_puts(&env->text, value ? value : "");
    buf_putc(&env->text, '\0');
}

/* The name as a variable has it. */
static void add_meta(struct convert_env *env, size_t starts[], size_t *count,
                     const struct job_meta *m)
{
    char name[16 + 64] = "HOIST_META_"; /* a name has at most 64 bytes */
    size_t used = strlen(name);

    for (const char *p = m->name; *p && used + 2 < sizeof name; p++)
        name[used++] = *p == '-'                ? '_'
                       : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A')
                                                : *p;
    name[used++] = '=';
    name[used] = '\0';
    for (size_t i = 0; i < *count; i++)
        if (strncmp(env->text.data + starts[i], name, used) == 0)
            env->text.data[starts[i]] = '-'; /* no name of a variable that is read */
    add(env, starts, count, name, m->value);
}

enum err_code convert_env_make(const struct job *j, struct convert_env *ret,
                               struct err *e)
{
    char id[ID_JOB_MAX + 1];
    size_t starts[sizeof ret->list / sizeof ret->list[0]], count = 0;

    *ret = (struct convert_env){.text = BUF_INIT(TEXT_MAX)};
    id_format_job(&j->id, id);
    add(ret, starts, &count,
        "PATH=", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    add(ret, starts, &count, "HOME=", "/");
    add(ret, starts, &count, "LANG=", "C.UTF-8");
    add(ret, starts, &count, "HOIST_JOB_ID=", id);
    add(ret, starts, &count, "HOIST_NAME=", j->name);
    add(ret, starts, &count, "HOIST_TYPE=", j->type);
    for (size_t i = 0; i < j->meta_count && !ret->text.failed; i++)
        add_meta(ret, starts, &count, &j->meta[i]);
    if (ret->text.failed) {
        convert_env_release(ret);
        return err_set(e, ERR_NOMEM, "no memory for an environment");
    }
    for (size_t i = 0; i < count; i++)
        ret->list[i] = ret->text.data + starts[i];
    return ERR_OK;
}

void convert_env_release(struct convert_env *env)
{
    buf_release(&env->text);
}
