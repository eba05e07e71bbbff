/*
 * body_file, through a responder: bodies that the web server has left as files become jobs as they are, and nothing else that may lie about.
 */
#include "fcgi-app/upload/body_file.h"

#include "shared/digest.h"
#include "tests/integration/responder_rig.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
enum { NOBODY = 65534 };

static struct tmpdir bodies;
static char more[256];

static struct tmpdir_file leave(const char *name, const char *text)
{
    return tmpdir_write(&bodies, name, text, strlen(text));
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static void up(void)
{
    tmpdir_make(&bodies);
    (void)snprintf(more, sizeof more,
                   "[http]\nbody_dir = %s\n[queue brief]\nmax_bytes = 8\n",
                   bodies.path);
    responder_up_with(more);
}

static void down(void)
{
    responder_down();
    tmpdir_remove(&bodies);
}

TestSuite(body_file_responder, .init = up, .fini = down, .timeout = 120);

static bool log_has(const char *text)
{
    return spawn_log_has(&rig.process, text);
}

/* What nginx sends of a body of so many bytes that it has left at path. */
static struct fcgi_request by_file(const char *path, const char *length)
{
    static char param[512];

    (void)snprintf(param, sizeof param, BODY_FILE_PARAM "=%s", path);
    return (struct fcgi_request){.method = "PUT",
                                 .uri = "/v1/uploads/a.bin",
                                 .content_length = length,
                                 .param = param,
                                 .keep = true};
}

static ino_t spooled_inode(const char *id)
{
    const char *path = responder_job_file(id, ".data");
    struct stat st;

    cr_assert(stat(path, &st) == 0, "%s", path);
    cr_expect(eq(int, st.st_uid == geteuid(), 1));
    return st.st_ino;
}

/* Whether a body of this many bytes becomes a job by its file; over one connection for all. */
static void check_taken(struct fcgi_client *c, const char *name, size_t size)
{
    char length[24], hex[DIGEST_SHA256_HEX + 1], want[128];
    struct err e = ERR_INIT;
    struct stat before;
    char *text = malloc(size);

    for (size_t i = 0; i < size; i++)
        text[i] = (char)(i % 251 + i / 65536); /* no two pieces are the same */
    struct tmpdir_file f = tmpdir_write(&bodies, name, text, size);
    cr_assert(stat(f.path, &before) == 0);
    (void)snprintf(length, sizeof length, "%zu", size);
    struct fcgi_request put = by_file(f.path, length);
    fcgi_client_request(c, &put);
    struct fcgi_response r = fcgi_client_response(c, 10000);
    cr_assert(eq(int, r.status, 202), "%zu bytes: %s", size, r.text);
    cr_assert(eq(int, digest_sha256_hex(text, size, hex, &e), ERR_OK));
    (void)snprintf(want, sizeof want, "\"size\":%zu,\"sha256\":\"%s\"", size, hex);
    cr_expect(strstr(r.body, want) != NULL, "no %s in %s", want, r.body);
    cr_expect(spooled_inode(responder_id(&r)) == before.st_ino, "it was copied");
    cr_expect(not(is_there(f.path)));
    fcgi_response_release(&r);
    free(text);
}

Test(body_file_responder, a_body_left_as_a_file_becomes_a_job_and_is_not_copied)
{
    static const size_t sizes[] = {
        1,       5,       65535,   65536,   65537,
        1 << 20, 3000001, 4 << 20, 4194305, 5000000}; /* from 4 MiB on read ahead */
    struct fcgi_client c;

    fcgi_client_open(&c, rig.socket.path);
    for (size_t i = 0; i < COUNT(sizes); i++)
        check_taken(&c, "0000000001", sizes[i]);
    /* nginx may be told to make directories below. */
    (void)mkdir(tmpdir_file(&bodies, "1").path, 0700);
    (void)mkdir(tmpdir_file(&bodies, "1/00").path, 0700);
    check_taken(&c, "1/00/0000000001", 9);
    fcgi_client_close(&c);
    cr_expect(eq(sz, responder_count("jobs"), 2 * (COUNT(sizes) + 1)));
    cr_expect(eq(sz, responder_count("tmp"), 0));
    cr_expect(log_has("how=moved bytes=3000001"));
}

Test(body_file_responder, a_request_with_a_key_makes_its_job_once)
{
    static const char *const bodies_of[] = {"hello", "hello", "hellO"};
    static const int status[] = {202, 202, 422};
    char id[128] = "";

    for (size_t i = 0; i < COUNT(status); i++) {
        struct tmpdir_file f = leave("0000000001", bodies_of[i]);
        struct fcgi_request put = by_file(f.path, "5");
        put.param2 = "HTTP_IDEMPOTENCY_KEY=k";
        struct fcgi_response r = responder_ask(&put);
        cr_expect(eq(int, r.status, status[i]), "%s", r.text);
        bool replayed = strstr(r.text, "Idempotent-Replayed: true\r\n");
        cr_expect(replayed == (i == 1), "%s", r.text);
        if (i == 0)
            (void)snprintf(id, sizeof id, "%s", responder_id(&r));
        if (i == 1)
            cr_expect(eq(str, (char *)responder_id(&r), id));
        cr_expect(is_there(f.path) == (i > 0),
                  "the first is taken; what is told again stays, for nginx to remove");
        fcgi_response_release(&r);
    }
    cr_expect(eq(sz, responder_count("jobs"), 2));
    cr_expect(eq(sz, responder_count("tmp"), 0));
}

Test(body_file_responder, one_that_belongs_to_another_user_is_made_ours)
{
    if (geteuid() != 0) /* nobody else can give files away */
        return;
    responder_down();
    (void)snprintf(more, sizeof more, "[http]\nbody_dir = %s\nbody_user = nobody\n",
                   bodies.path);
    responder_up_with(more);
    struct tmpdir_file f = leave("1", "hello");
    cr_assert(chown(f.path, NOBODY, (gid_t)-1) == 0);
    struct stat before;
    cr_assert(stat(f.path, &before) == 0);
    struct fcgi_request put = by_file(f.path, "5");
    struct fcgi_response r = responder_ask(&put);
    cr_assert(eq(int, r.status, 202), "%s", r.text);
    cr_expect(spooled_inode(responder_id(&r)) == before.st_ino, "it was copied");
    fcgi_response_release(&r);
}

Test(body_file_responder, one_that_cannot_be_made_ours_is_copied)
{
    if (geteuid() != 0)
        return;
    responder_down();
    cr_assert(prctl(PR_CAPBSET_DROP, CAP_CHOWN) == 0); /* of what is started */
    (void)snprintf(more, sizeof more, "[http]\nbody_dir = %s\nbody_user = nobody\n",
                   bodies.path);
    responder_up_with(more);
    struct tmpdir_file f = leave("1", "hello");
    cr_assert(chown(f.path, NOBODY, (gid_t)-1) == 0);
    struct fcgi_request put = by_file(f.path, "5");
    struct fcgi_response r = responder_ask(&put);
    cr_assert(eq(int, r.status, 202), "%s", r.text);
    cr_expect(spooled_inode(responder_id(&r)) != 0);
    cr_expect(is_there(f.path), "nginx cleans its own");
    fcgi_response_release(&r);
}

/* Bodies that come the ordinary way, and those that say they do not. */
Test(body_file_responder, only_the_web_server_can_say_it_and_only_of_a_raw_body)
{
    struct tmpdir_file f = leave("1", "another's");
    char header[256];
    struct fcgi_request put = by_file(f.path, "5");

    /* A header of a client has another name; without a file nginx says "". */
    (void)snprintf(header, sizeof header, "HTTP_" BODY_FILE_PARAM "=%s", f.path);
    put = (struct fcgi_request)PUT("/v1/uploads/a", "hello");
    put.param = header;
    cr_expect(eq(int, responder_status(&put), 202));
    put.param = BODY_FILE_PARAM "=";
    cr_expect(eq(int, responder_status(&put), 202));
    cr_expect(eq(sz, responder_count("jobs"), 4));

    put = by_file(f.path, "9");
    put.body = "hello";
    put.body_len = 5;
    cr_expect(eq(int, responder_status(&put), 500));
    cr_expect(log_has("fastcgi_pass_request_body off is missing"));

    put = by_file(f.path, "9");
    put.method = "POST";
    put.uri = "/v1/uploads";
    put.type = FORM_TYPE;
    cr_expect(eq(int, responder_status(&put), 500));
    cr_expect(log_has("a form came as a file"));

    put = by_file(leave("0", "").path, "0");
    struct fcgi_response r = responder_ask(&put);
    cr_expect(eq(int, r.status, 400));
    cr_expect(strstr(r.body, "urn:hoist:problem:empty") != NULL, "%s", r.body);
    fcgi_response_release(&r);

    put = by_file(f.path, "9");
    put.uri = "/v1/uploads/a?queue=brief";
    cr_expect(eq(int, responder_status(&put), 413), "nine bytes where eight may come");

    put = by_file(f.path, "9");
    put.uri = "/v1/uploads/a?queue=none";
    cr_expect(eq(int, responder_status(&put), 422));
    cr_expect(is_there(f.path), "what is refused stays, for nginx to remove");
    cr_expect(eq(sz, responder_count("jobs"), 4));
    cr_expect(eq(sz, responder_count("tmp"), 0));
}

static void expect_refused(const char *path, const char *length, const char *why)
{
    struct fcgi_request put = by_file(path, length);
    struct fcgi_response r = responder_ask(&put);

    cr_expect(eq(int, r.status, 500), "%s: %s", path, r.text);
    cr_expect(strstr(r.text, bodies.path) == NULL, "the client is told paths");
    cr_expect(log_has(why), "not in the log: %s", why);
    fcgi_response_release(&r);
}

Test(body_file_responder, what_is_not_a_body_of_nginx_is_refused_and_the_log_says_why)
{
    struct tmpdir_file good = leave("good", "hello"), twice = leave("twice", "hello"),
                       loose = leave("loose", "hello");
    struct tmpdir_file link = tmpdir_file(&bodies, "link"),
                       fifo = tmpdir_file(&bodies, "fifo");
    char path[512];

    cr_assert(symlink(good.path, link.path) == 0);
    cr_assert(symlink(bodies.path, tmpdir_file(&bodies, "loop").path) == 0);
    cr_assert(mkfifo(fifo.path, 0600) == 0);
    cr_assert(linkat(AT_FDCWD, twice.path, AT_FDCWD, tmpdir_file(&bodies, "two").path,
                     0) == 0);
    cr_assert(chmod(loose.path, 0622) == 0);

    expect_refused(link.path, "5", "/link: open it: Too many levels of symbolic links");
    (void)snprintf(path, sizeof path, "%s/loop/good", bodies.path);
    expect_refused(path, "5", "/loop/good: loop: open it: Too many levels");
    expect_refused(fifo.path, "5", "/fifo: it is not a regular file");
    expect_refused(twice.path, "5", "it has 2 names");
    expect_refused(loose.path, "5", "it has mode 0622, so that others can write it");
    expect_refused(tmpdir_file(&bodies, "none").path, "5",
                   "/none: open it: No such file");
    (void)snprintf(path, sizeof path, "%s/../%s/good", bodies.path,
                   strrchr(bodies.path, '/') + 1);
    expect_refused(path, "5", "/good is not below [http] body_dir");
    (void)snprintf(path, sizeof path, "%s/", bodies.path);
    expect_refused(path, "5", "is not below [http] body_dir");
    (void)snprintf(path, sizeof path, "%s-other/good", bodies.path);
    expect_refused(path, "5", "-other/good is not below [http] body_dir");
    expect_refused(rig.config.path, "5", "hoist.ini is not below [http] body_dir");
    expect_refused("good", "5", "good is not below");
    expect_refused(good.path, "6",
                   "the body's file has 5 bytes, CONTENT_LENGTH says 6");
    expect_refused(good.path, "", "CONTENT_LENGTH says -1");
    if (geteuid() == 0) {
        struct tmpdir_file owned = leave("owned", "hello"),
                           device = tmpdir_file(&bodies, "device");
        cr_assert(chown(owned.path, 12345, (gid_t)-1) == 0);
        expect_refused(owned.path, "5", "it belongs to user 12345, not to 0");
        if (mknod(device.path, S_IFCHR | 0600, makedev(1, 5)) ==
            0) /* a container may not */
            expect_refused(device.path, "5", "/device: ");
    }
    cr_assert(chmod(bodies.path, 0703) == 0);
    expect_refused(good.path, "5", "it has mode 0703, so that everybody can write");
    cr_assert(chmod(bodies.path, 0700) == 0);
    cr_expect(eq(sz, responder_count("jobs"), 0));
    cr_expect(eq(sz, responder_count("tmp"), 0));

    struct fcgi_request put = by_file(good.path, "5"); /* and all is well again */
    cr_expect(eq(int, responder_status(&put), 202));
}

/* Started with this place for bodies it ends with status 1 and says why. */
static void expect_no_start(const char *dir, const char *user, const char *why)
{
    static const char *const options[] = {"--check", NULL};

    for (size_t i = 0; i < COUNT(options); i++) {
        const char *argv[] = {HOIST_FCGI_BIN, "--config", rig.config.path, options[i],
                              NULL};
        struct tmpdir_file log = tmpdir_file(&rig.dir, "start.log");
        char text[4096] = "";
        struct spawn p;
        int status = 0;

        cr_assert(setenv("HOIST_HTTP_BODY_DIR", dir, 1) == 0);
        cr_assert(setenv("HOIST_HTTP_BODY_USER", user, 1) == 0);
        (void)unlink(log.path);
        spawn_start(&p, &(struct spawn_options){.argv = argv, .log_path = log.path});
        cr_assert(spawn_wait(&p, 10000, &status), "%s: it runs", why);
        cr_expect(eq(int, WIFEXITED(status) ? WEXITSTATUS(status) : -1, 1));
        FILE *f = fopen(log.path, "re");
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        (void)fclose(f);
        cr_expect(strstr(text, why) != NULL, "no '%s' in %s", why, text);
    }
}

Test(body_file_responder, without_a_sound_directory_it_does_not_start_and_takes_no_file)
{
    struct tmpdir_file open_dir = tmpdir_file(&rig.dir, "open");

    cr_assert(mkdir(open_dir.path, 0700) == 0 && chmod(open_dir.path, 0777) == 0);
    (void)spawn_stop(&rig.process, 10000);
    expect_no_start(open_dir.path, "", "so that everybody can write into it");
    expect_no_start("/proc", "", "it is not on the file system of [spool] dir");
    expect_no_start(rig.config.path, "", "Not a directory");
    expect_no_start(bodies.path, "hoist-nobody-of-that-name",
                    "[http] body_user: there is no user");

    (void)unsetenv("HOIST_HTTP_BODY_DIR");
    (void)unsetenv("HOIST_HTTP_BODY_USER");
    responder_down();
    responder_up(); /* without a body_dir */
    struct tmpdir_file f = leave("1", "hello");
    struct fcgi_request put = by_file(f.path, "5");
    cr_expect(eq(int, responder_status(&put), 500));
    cr_expect(log_has("and [http] body_dir is not set"));
    cr_expect(is_there(f.path));
}
