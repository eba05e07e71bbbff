#include "tests/e2e/s3_fixture.h"

#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_port(struct s3_fixture *f)
{
    FILE *log = fopen(f->server.log_path, "re");

    if (!log)
        return false;
    bool found = fscanf(log, "PORT %d\n", &f->port) == 1;
    (void)fclose(log);
    return found;
}

void s3_fixture_start(struct s3_fixture *f, const char *dir)
{
    char log[160];
    int ends[2];

    memset(f, 0, sizeof *f);
    (void)snprintf(f->dir, sizeof f->dir, "%s/s3", dir);
    (void)snprintf(log, sizeof log, "%s/s3.log", dir);
    cr_assert_eq(mkdir(f->dir, 0700), 0);
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    const char *const argv[] = {"node", HOIST_SOURCE_DIR "/tests/e2e/node/s3server.js",
                                f->dir, "uploads", NULL};
    spawn_start(&f->server, &(struct spawn_options){
                                .argv = argv, .log_path = log, .stdin_fd = ends[0]});
    (void)close(ends[0]);
    f->stdin_fd = ends[1];
    if (!WAIT_UNTIL(read_port(f) || !spawn_is_running(&f->server), 20000) ||
        f->port == 0) {
        spawn_show_log(&f->server);
        cr_assert_fail("s3rver did not start; `tests/run` installs it");
    }
}

void s3_fixture_stop(struct s3_fixture *f)
{
    (void)close(f->stdin_fd);
    (void)spawn_stop(&f->server, 5000);
}

void s3_fixture_conf(const struct s3_fixture *f, const char *prefix, const char *secret,
                     char *ret, size_t size)
{
    (void)snprintf(ret, size,
                   "[destination default]\nurl = s3://uploads%s%s\n"
                   "endpoint = http://127.0.0.1:%d\nregion = us-east-1\nstyle = path\n"
                   "access_key = S3RVER\nsecret_key = %s\n",
                   prefix[0] ? "/" : "", prefix, f->port, secret);
}

void s3_fixture_object(const struct s3_fixture *f, const char *key, char ret_path[256],
                       char ret_meta_path[256])
{
    (void)snprintf(ret_path, 256, "%s/uploads/%s._S3rver_object", f->dir, key);
    (void)snprintf(ret_meta_path, 256, "%s/uploads/%s._S3rver_metadata.json", f->dir,
                   key);
}
