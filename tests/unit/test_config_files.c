/*
 * config: files.  Those with a secret in them are not open to others; what is no text file is refused.  Each test has a
 * directory of its own below the build tree.
 */
#include "shared/config.h"

#include "shared/cleanup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static char dir[] = "config-XXXXXX";

static void make_dir(void)
{
    cr_assert(ne(ptr, mkdtemp(dir), NULL));
    cr_assert(eq(int, chdir(dir), 0));
}

static void remove_dir(void)
{
    (void)unlink("f"); /* may not be there */
    (void)unlink("t.ini");
    cr_expect(eq(int, chdir(".."), 0));
    cr_expect(eq(int, rmdir(dir), 0));
}

TestSuite(config_files, .timeout = 60, .init = make_dir, .fini = remove_dir);

static void write_file(const char *path, const char *data, size_t len, mode_t mode)
{
    CLEANUP(fd_close)
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    cr_assert(ge(int, fd, 0));
    cr_assert(eq(int, (int)write(fd, data, len), (int)len));
    cr_assert(eq(int, fchmod(fd, mode), 0));
}

/* Load the defaults with the file "f" for the password of Redis. */
static enum err_code load_with_secret(struct config *c, struct err *e)
{
    CLEANUP(str_free) char *here = getcwd(NULL, 0);
    CLEANUP(buf_release) struct buf variable = BUF_INIT(8192);

    buf_printf(&variable, "HOIST_REDIS_PASSWORD_FILE=%s/f", here);
    char *env[] = {variable.data, NULL};
    return config_load(c, NULL, env, e);
}

static const struct {
    const char *label, *data;
    size_t len;
    mode_t mode;
    const char *want, *refused; /* one of the two */
} secrets[] = {
    {"newline", "hush\n", 5, 0600, "hush", NULL},
    {"no newline", "hush", 4, 0400, "hush", NULL},
    {"CR LF", "hush\r\n", 6, 0600, "hush", NULL},
    {"blanks are kept", " hu sh \n", 8, 0600, " hu sh ", NULL},
    {"as systemd hands it over", "hush", 4, 0440, "hush", NULL},
    {"comment characters", "a ;b#c", 6, 0600, "a ;b#c", NULL},
    {"others read", "hush", 4, 0604, NULL, "mode is 0604"},
    {"all read", "hush", 4, 0644, NULL, "mode is 0644"},
    {"others write", "hush", 4, 0602, NULL, "mode is 0602"},
    {"group writes", "hush", 4, 0620, NULL, "mode is 0620"},
    {"empty", "", 0, 0600, NULL, "not one line"},
    {"newline alone", "\n", 1, 0600, NULL, "not one line"},
    {"two lines", "a\nb\n", 4, 0600, NULL, "not one line"},
    {"NUL", "a\0b", 3, 0600, NULL, "NUL byte"},
};

Test(config_files, secret_files)
{
    for (size_t i = 0; i < COUNT(secrets); i++) {
        CLEANUP(config_release) struct config c;
        struct err e = ERR_INIT;
        config_init(&c);
        write_file("f", secrets[i].data, secrets[i].len, secrets[i].mode);
        enum err_code code = load_with_secret(&c, &e);
        cr_expect(eq(int, unlink("f"), 0));
        if (secrets[i].want) {
            cr_assert(eq(int, code, ERR_OK), "%s: %s", secrets[i].label, e.text);
            cr_expect(eq(str, c.redis.password, (char *)secrets[i].want), "%s",
                      secrets[i].label);
        } else {
            cr_expect(eq(int, code, ERR_CONFIG), "%s", secrets[i].label);
            cr_expect(ne(ptr, strstr(e.text, secrets[i].refused), NULL), "%s: %s",
                      secrets[i].label, e.text);
            cr_expect(eq(ptr, strstr(e.text, "hush"), NULL), "%s", e.text);
        }
    }
}

Test(config_files, a_secret_file_that_is_too_long_or_a_fifo)
{
    CLEANUP(config_release) struct config c;
    struct err e = ERR_INIT;
    char data[4097];

    config_init(&c);
    memset(data, 'x', sizeof data);
    write_file("f", data, 4096, 0600);
    cr_expect(eq(int, load_with_secret(&c, &e), ERR_OK), "%s", e.text);
    write_file("f", data, 4097, 0600);
    cr_expect(eq(int, load_with_secret(&c, &e), ERR_CONFIG));
    cr_expect(ne(ptr, strstr(e.text, "longer than 4096"), NULL), "%s", e.text);
    cr_expect(eq(int, unlink("f"), 0));
    cr_expect(eq(int, mkfifo("f", 0600), 0));
    cr_expect(eq(int, load_with_secret(&c, &e), ERR_CONFIG), "and does not wait");
    cr_expect(ne(ptr, strstr(e.text, "not a regular file"), NULL), "%s", e.text);
}

#define REDIS_SECRET "[redis]\nurl=redis://:hush@h\n"
#define S3_SECRET "[destination x]\naccess_key=AK\nsecret_key=hush\nurl=s3://abc\n"

static const struct {
    const char *label, *text;
    mode_t mode;
    const char *refused; /* NULL: loads */
} files[] = {
    {"no secret, open to all", "[spool]\ndir=/x\n", 0644, NULL},
    {"access key alone, open to all", "[destination default]\naccess_key=x\n", 0644,
     NULL},
    {"secret key, owner and group", S3_SECRET, 0640, NULL},
    {"secret key, open to all", S3_SECRET, 0644,
     "t.ini:3: [destination x] secret_key: the file has a secret and mode 0644"},
    {"password in the url, owner", REDIS_SECRET, 0600, NULL},
    {"password in the url, open to all", REDIS_SECRET, 0644,
     "t.ini:2: [redis] url: the file has a secret and mode 0644"},
    {"others may write", REDIS_SECRET, 0602,
     "t.ini:2: [redis] url: the file has a secret"},
    {"password", "[redis]\npassword=hush\n", 0604,
     "t.ini:2: [redis] password: the file"},
    {"NUL", "[spool]\n\1", 0600, "t.ini:2: '"},
};

Test(config_files, a_configuration_with_a_secret_is_not_open_to_others)
{
    for (size_t i = 0; i < COUNT(files); i++) {
        CLEANUP(config_release) struct config c;
        struct err e = ERR_INIT;
        config_init(&c);
        write_file("t.ini", files[i].text, strlen(files[i].text), files[i].mode);
        enum err_code code = config_load(&c, "t.ini", NULL, &e);
        cr_expect(eq(int, code, files[i].refused ? ERR_CONFIG : ERR_OK), "%s: %s",
                  files[i].label, e.text);
        if (files[i].refused)
            cr_expect(
                eq(int, strncmp(e.text, files[i].refused, strlen(files[i].refused)), 0),
                "%s: %s", files[i].label, e.text);
        cr_expect(eq(ptr, strstr(e.text, "hush"), NULL), "%s", e.text);
    }
}

Test(config_files, what_is_no_text_file_is_refused)
{
    CLEANUP(config_release) struct config c;
    struct err e = ERR_INIT;

    config_init(&c);
    cr_expect(eq(int, config_load(&c, "missing.ini", NULL, &e), ERR_CONFIG));
    cr_expect(eq(str, e.text, "missing.ini: No such file or directory"));
    cr_expect(eq(int, config_load(&c, ".", NULL, &e), ERR_CONFIG));
    cr_expect(eq(str, e.text, ".: is not a regular file"));
    write_file("t.ini", "[spool]\ndir=/a\0b\n", 17, 0600);
    cr_expect(eq(int, config_load(&c, "t.ini", NULL, &e), ERR_CONFIG));
    cr_expect(eq(str, e.text, "t.ini: has a NUL byte: not a text file"));
    CLEANUP(buf_release) struct buf big = BUF_INIT(300 * 1024);
    while (big.len <= 256 * 1024)
        buf_puts(&big, "# comment\n");
    write_file("t.ini", big.data, big.len, 0600);
    cr_expect(eq(int, config_load(&c, "t.ini", NULL, &e), ERR_CONFIG));
    cr_expect(eq(str, e.text, "t.ini: longer than 262144 bytes"));
}

Test(config_files, a_credential_is_the_file_that_systemd_put_there)
{
    CLEANUP(config_release) struct config c;
    CLEANUP(str_free) char *here = getcwd(NULL, 0);
    CLEANUP(buf_release) struct buf variable = BUF_INIT(8192);
    struct err e = ERR_INIT;

    config_init(&c);
    buf_printf(&variable, "CREDENTIALS_DIRECTORY=%s", here);
    char *env[] = {variable.data, NULL};
    write_file("f", "hush\n", 5, 0440);
    cr_assert(eq(int,
                 config_parse(&c, "t.ini",
                              "[destination x]\nurl=s3://abc\naccess_key=AK\n"
                              "secret_key_file=credential:f\n"
                              "[destination y]\nurl=s3://abc\ncredentials=file\n"
                              "credentials_file=credential:g\n",
                              env, &e),
                 ERR_OK),
              "%s", e.text);
    const struct config_destination *x = config_find_destination(&c, "x", 1);
    const struct config_destination *y = config_find_destination(&c, "y", 1);
    cr_expect(eq(str, x->secret_key, "hush"));
    cr_expect(eq(str, x->secret_key_file + strlen(here), "/f"),
              "the path, to read it again");
    cr_expect(eq(str, y->credentials_file + strlen(here), "/g"),
              "which need not be there yet");
}

#define UNREADABLE                                                                     \
    "[destination x]\nurl=s3://abc\naccess_key=AK\nsecret_key_file=/does/not/exist\n"  \
    "session_token_file=credential:none\n"

Test(config_files, who_signs_nothing_needs_no_secrets_of_stores)
{
    CLEANUP(config_release) struct config c;
    struct err e = ERR_INIT;

    config_init(&c);
    write_file("t.ini", UNREADABLE, sizeof UNREADABLE - 1, 0600);
    cr_expect(eq(int, config_load(&c, "t.ini", NULL, &e), ERR_CONFIG));
    cr_expect(ne(ptr, strstr(e.text, "t.ini:4: [destination x] secret_key_file: /does"),
                 NULL),
              "%s", e.text);
    cr_assert(eq(int, config_load_unsigned(&c, "t.ini", NULL, &e), ERR_OK), "%s",
              e.text);
    cr_expect(eq(str, config_find_destination(&c, "x", 1)->secret_key, ""));
    write_file("t.ini", "[redis]\npassword_file=/does/not/exist\n", 39, 0600);
    cr_expect(eq(int, config_load_unsigned(&c, "t.ini", NULL, &e), ERR_CONFIG),
              "that of Redis it needs");
}

Test(config_files, a_store_without_keys_of_its_own_takes_them_from_elsewhere)
{
    CLEANUP(config_release) struct config c;
    struct err e = ERR_INIT;

    config_init(&c);
    cr_assert(eq(int,
                 config_parse(&c, "t.ini",
                              "[destination x]\nurl=s3://abc\n"
                              "[destination y]\nurl=s3://abc\n"
                              "credentials=web_identity\nsts_endpoint=http://sts:81\n",
                              NULL, &e),
                 ERR_OK),
              "%s", e.text);
    cr_expect(
        eq(int, config_find_destination(&c, "x", 1)->credentials, CONFIG_KEYS_AUTO));
    cr_expect(eq(int, config_find_destination(&c, "y", 1)->credentials,
                 CONFIG_KEYS_WEB_IDENTITY));
}
