/*
 * check: what --check of either program says of the spool is what the start says, and names the setting's place.
 */
#include "tests/support/spawn.h"
#include "tests/support/tmpdir.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct tmpdir dir;

static void up(void)
{
    tmpdir_make(&dir);
}

static void down(void)
{
    tmpdir_remove(&dir);
}

TestSuite(check, .init = up, .fini = down, .timeout = 120);

static const char *const programs[] = {HOIST_FCGI_BIN, HOIST_WORKER_BIN};

/* The settings, with `dir = ` and this place in line 5. */
static struct tmpdir_file write_settings(const char *spool)
{
    char text[1024];

    (void)snprintf(text, sizeof text,
                   "[redis]\nurl = unix://%s/none.sock\n\n[spool]\ndir = %s\n"
                   "[http]\nlisten = %s/f.sock\n"
                   "[destination default]\nurl = file://%s/objects\n",
                   dir.path, spool, dir.path, dir.path);
    return tmpdir_write(&dir, "hoist.ini", text, strlen(text));
}

/* Run the program to its end; its exit status.  What it wrote is in ret_text. */
static int run(const char *program, const char *option, const char *env,
               char ret_text[static 4096])
{
    struct tmpdir_file config = tmpdir_file(&dir, "hoist.ini");
    struct tmpdir_file log = tmpdir_write(&dir, "log", "", 0);
    const char *argv[] = {program, "--config", config.path, option, NULL};
    const char *environment[] = {env, NULL};
    struct spawn s;
    int status = 0;

    spawn_start(&s, &(struct spawn_options){
                        .argv = argv, .env = environment, .log_path = log.path});
    bool ended = spawn_wait(&s, 10000, &status);
    spawn_kill(&s);
    cr_assert(ended, "%s did not end", program);
    FILE *f = fopen(log.path, "re");
    cr_assert(f != NULL);
    ret_text[fread(ret_text, 1, 4095, f)] = '\0';
    fclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Both programs, checked and started, refuse with these two texts. */
static void expect_refused(const char *env, const char *place, const char *allowed)
{
    static const char *const options[] = {"--check", NULL};
    char text[4096];

    for (size_t i = 0; i < COUNT(programs); i++) {
        for (size_t k = 0; k < COUNT(options); k++) {
            const char *how = options[k] ? options[k] : "start";
            cr_expect(eq(int, run(programs[i], options[k], env, text), 1), "%s %s: %s",
                      programs[i], how, text);
            cr_expect(strstr(text, place) != NULL, "%s %s: no '%s' in %s", programs[i],
                      how, place, text);
            cr_expect(strstr(text, allowed) != NULL, "%s %s: no '%s' in %s",
                      programs[i], how, allowed, text);
        }
    }
}

Test(check, a_good_spool_is_made_and_is_good)
{
    struct tmpdir_file spool = tmpdir_file(&dir, "spool");
    char text[4096];
    struct stat st;

    (void)write_settings(spool.path);
    for (size_t i = 0; i < COUNT(programs); i++)
        cr_expect(eq(int, run(programs[i], "--check", NULL, text), 0), "%s", text);
    cr_assert(not(stat(spool.path, &st)));
    cr_expect(eq(int, (int)(st.st_mode & 0777), 0700));
}

Test(check, a_spool_that_is_open_to_others_is_refused)
{
    struct tmpdir_file spool = tmpdir_file(&dir, "spool");

    (void)write_settings(spool.path);
    cr_assert(not(mkdir(spool.path, 0700) || chmod(spool.path, 0777)));
    expect_refused(NULL, "hoist.ini:5: [spool] dir: ", "it must be 0700");
}

Test(check, a_spool_below_nothing_is_refused)
{
    char spool[256];

    (void)snprintf(spool, sizeof spool, "%s/none/spool", dir.path);
    (void)write_settings(spool);
    expect_refused(NULL,
                   "hoist.ini:5: [spool] dir: ", "the directory above it must exist");
}

Test(check, a_spool_that_is_a_file_is_refused)
{
    struct tmpdir_file file = tmpdir_write(&dir, "file", "", 0);

    (void)write_settings(file.path);
    expect_refused(NULL, "hoist.ini:5: [spool] dir: ", "Not a directory");
}

Test(check, a_spool_of_the_environment_is_blamed_on_it)
{
    struct tmpdir_file good = tmpdir_file(&dir, "spool");
    char env[256];

    (void)write_settings(good.path);
    (void)snprintf(env, sizeof env, "HOIST_SPOOL_DIR=%s/none/spool", dir.path);
    expect_refused(
        env, "environment HOIST_SPOOL_DIR: ", "the directory above it must exist");
}

Test(check, what_signs_for_a_store_is_read_by_workers_alone)
{
    struct tmpdir_file spool = tmpdir_file(&dir, "spool");
    char settings[1024], text[4096];

    (void)snprintf(settings, sizeof settings,
                   "[redis]\nurl = unix://%s/none.sock\n[spool]\ndir = %s\n"
                   "[destination default]\nurl = s3://bucket\naccess_key = AK\n"
                   "secret_key_file = %s/there-is-none\n",
                   dir.path, spool.path, dir.path);
    (void)tmpdir_write(&dir, "hoist.ini", settings, strlen(settings));
    cr_expect(eq(int, run(HOIST_FCGI_BIN, "--check", NULL, text), 0), "%s", text);
    cr_expect(eq(int, run(HOIST_WORKER_BIN, "--check", NULL, text), 1));
    cr_expect(strstr(text, "hoist.ini:8: [destination default] secret_key_file: ") !=
                  NULL,
              "%s", text);
}
