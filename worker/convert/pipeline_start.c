/* Starting the programs of a pipeline. */
#include "worker/convert/pipeline_internal.h"

#include <fcntl.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/words.h"
#include "worker/convert/convert_env.h"

enum { PIPE_BYTES = 256 * 1024 };

/* The pipe behind a stage; both ends are above 2. */
static enum err_code make_pipe(int *ret_read, int *ret_write, struct err *e)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(e, ERR_RETRY, "make a pipe");
    (void)fcntl(fds[0], F_SETPIPE_SZ, PIPE_BYTES); /* what there is does, too */
    *ret_read = fds[0];
    *ret_write = fds[1];
    return ERR_OK;
}

static enum err_code start_stage(struct pipeline *p, struct pipeline_stage *s,
                                 char *const *env, const int fds[2], struct err *e)
{
    static const enum child_sandbox modes[] = {[CONFIG_NO_SANDBOX] = CHILD_NO_SANDBOX,
                                               [CONFIG_SANDBOX_AUTO] = CHILD_SANDBOX,
                                               [CONFIG_SANDBOX_REQUIRE] =
                                                   CHILD_SANDBOX_WHOLE};
    const struct config_converter *c = s->config;
    struct words words = {.count = 0};

    if (words_split(c->run, &words, e) != ERR_OK)
        return e->code;
    struct child_options o = {.argv = words.argv,
                              .env = env,
                              .stdin_fd = fds[0],
                              .stdout_fd = fds[1],
                              .file_bytes_max = c->max_bytes,
                              .memory_max = c->memory_max,
                              .cpu_seconds = c->cpu_seconds,
                              .sandbox = modes[c->sandbox],
                              .processes_max = c->processes_max,
                              .on_end = pipeline_on_stage_end,
                              .ctx = s};
    enum err_code code = child_start(p->loop, &o, &s->child, e);
    words_release(&words);
    if (code != ERR_OK)
        return code;
    p->running++;
    p->has_started = true;
    p->parts &= child_parts(s->child);
    return ERR_OK;
}

/* Start them from the first to the last; those that run when one cannot be started are killed. */
void pipeline_start(struct pipeline *p, const struct pipeline_options *o)
{
    struct convert_env env = {.text = BUF_INIT(0)};
    struct err e = ERR_INIT;
    CLEANUP(fd_close) int in_fd = fcntl(o->stdin_fd, F_DUPFD_CLOEXEC, 3);
    struct pipeline_stage *s = p->stages;

    if (in_fd < 0)
        err_errno(&e, ERR_RETRY, "copy a descriptor");
    else if (convert_env_make(o->job, &env, &e) == ERR_OK)
        for (; s < p->stages + p->count && e.code == ERR_OK; s++) {
            CLEANUP(fd_close) int write_fd = -1;
            int read_fd = -1;
            if (make_pipe(&read_fd, &write_fd, &e) != ERR_OK ||
                start_stage(p, s, env.list, (const int[]){in_fd, write_fd}, &e))
                s--; /* it is this one */
            fd_close(&in_fd);
            in_fd = read_fd;
        }
    convert_env_release(&env);
    if (e.code != ERR_OK) {
        pipeline_fail_start(p, s, &e);
        return;
    }
    p->out_fd = in_fd;
    in_fd = -1;
}
