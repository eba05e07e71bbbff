/*
 * credentials: keys from the configuration, the environment and files: which of them it is, and that files are read again.
 */
#include "tests/integration/credentials_harness.h"

#include <sys/stat.h>
#include <unistd.h>

#include "worker/keys/credentials_source.h"

TestSuite(credentials_files, .init = up, .fini = down, .timeout = 120);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define PROFILE(id) "[default]\naws_access_key_id=" id "\naws_secret_access_key=s\n"

static void put(const char *name, const char *text)
{
    (void)tmpdir_write(&dir, name, text, strlen(text));
}

/* As who replaces a file does it: one name, then the other. */
static void replace(const char *name, const char *text)
{
    struct tmpdir_file new = tmpdir_write(&dir, "new", text, strlen(text));
    struct tmpdir_file old = tmpdir_file(&dir, name);

    cr_assert(eq(int, rename(new.path, old.path), 0));
}

Test(credentials_files, a_secret_that_is_replaced_is_read_again)
{
    put("secret", "first\n");
    put("session", "token");
    struct tmpdir_file secret = tmpdir_file(&dir, "secret"),
                       session = tmpdir_file(&dir, "session");
    config.credentials = CONFIG_KEYS_CONFIG;
    config.access_key = "AK";
    config.secret_key = "as it was loaded";
    config.secret_key_file = secret.path;
    config.session_token_file = session.path;
    open_keys();
    struct sigv4_key *key = credentials_key(keys);
    cr_assert(ne(ptr, key, NULL), "at once: %s", credentials_error(keys));
    cr_expect(eq(str, (char *)key->secret_key, "first"));
    cr_expect(eq(str, (char *)key->session_token, "token"));
    uint64_t generation = credentials_generation(keys);
    cr_expect(not(credentials_refuse(keys, generation)), "there are no others");
    replace("secret", "second");
    cr_expect(credentials_refuse(keys, generation), "a refusal looks at once");
    cr_expect(eq(str, (char *)credentials_key(keys)->secret_key, "second"));
    replace("secret", "third");
    generation = credentials_generation(keys);
    int64_t until = clock_mono_ms() + DEADLINE_MS;
    while (credentials_key(keys) && credentials_generation(keys) == generation &&
           clock_mono_ms() < until)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(eq(str, (char *)credentials_key(keys)->secret_key, "third"),
              "and a signature does, within a second or so");
}

Test(credentials_files, a_file_that_cannot_be_read_leaves_what_was_read)
{
    put("f", PROFILE("A1"));
    struct tmpdir_file f = tmpdir_file(&dir, "f");
    config.credentials = CONFIG_KEYS_FILE;
    config.credentials_file = f.path;
    open_keys();
    cr_assert(ne(ptr, credentials_key(keys), NULL), "%s", credentials_error(keys));
    uint64_t generation = credentials_generation(keys);
    replace("f", "[default]\naws_access_key_id=A2\n"); /* half written */
    cr_expect(not(credentials_refuse(keys, generation)));
    cr_expect(
        ne(ptr, strstr(credentials_error(keys), "[default]: there is no secret"), NULL),
        "%s", credentials_error(keys));
    cr_expect(eq(str, (char *)credentials_key(keys)->access_key, "A1"));
    cr_assert(eq(int, chmod(f.path, 0644), 0));
    cr_expect(not(credentials_refuse(keys, generation)));
    cr_expect(ne(ptr, strstr(credentials_error(keys), "mode is 0644"), NULL), "%s",
              credentials_error(keys));
    cr_assert(eq(int, unlink(f.path), 0));
    cr_expect(not(credentials_refuse(keys, generation)));
    cr_expect(eq(str, (char *)credentials_key(keys)->access_key, "A1"));
    put("f", PROFILE("A3"));
    cr_expect(credentials_refuse(keys, generation));
    cr_expect(eq(str, (char *)credentials_key(keys)->access_key, "A3"));
}

Test(credentials_files, a_file_that_comes_later_is_found)
{
    struct tmpdir_file f = tmpdir_file(&dir, "f");
    config.credentials = CONFIG_KEYS_FILE;
    config.credentials_file = f.path;
    config.profile = "b";
    open_keys();
    cr_expect(eq(str, (char *)await_key(), ""));
    cr_expect(ne(ptr, strstr(credentials_error(keys), "No such file"), NULL), "%s",
              credentials_error(keys));
    put("f", PROFILE("A1") "[b]\naws_access_key_id=B\naws_secret_access_key=s\n");
    cr_expect(becomes("B"));
}

Test(credentials_files, what_is_not_set_in_the_environment_is_said)
{
    config.credentials = CONFIG_KEYS_ENVIRONMENT;
    set_env("AWS_ACCESS_KEY_ID", "A");
    open_keys();
    cr_expect(eq(str, (char *)await_key(), ""));
    cr_expect(ne(ptr, strstr(credentials_error(keys), "AWS_SECRET_ACCESS_KEY"), NULL),
              "%s", credentials_error(keys));
    cr_expect(gt(i64, credentials_hold_ms(keys), 0));
}

/* The variables of each place, in the order of preference. */
static const struct {
    enum config_credentials kind;
    const char *names[2], *values[2];
} places[] = {
    {CONFIG_KEYS_ENVIRONMENT,
     {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
     {"A", "s"}},
    {CONFIG_KEYS_FILE, {"HOME", NULL}, {NULL, NULL}},
    {CONFIG_KEYS_WEB_IDENTITY,
     {"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"},
     {"/t", "arn"}},
    {CONFIG_KEYS_CONTAINER,
     {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", NULL},
     {"/x", NULL}},
};

static enum config_credentials found_in(size_t from)
{
    struct credentials_source s;
    struct err e = ERR_INIT;

    env_count = 0;
    for (size_t i = from; i < COUNT(places); i++)
        for (size_t k = 0; k < 2 && places[i].names[k]; k++)
            set_env(places[i].names[k],
                    places[i].values[k] ? places[i].values[k] : dir.path);
    env[env_count] = NULL;
    cr_assert(credentials_source_init(&s, &config, env, &e) == ERR_OK, "%s", e.text);
    enum config_credentials kind = s.kind;
    credentials_source_release(&s);
    return kind;
}

Test(credentials_files, auto_is_the_first_place_that_is_there)
{
    struct tmpdir_file aws = tmpdir_file(&dir, ".aws");

    cr_assert(eq(int, mkdir(aws.path, 0700), 0));
    put(".aws/credentials", PROFILE("A"));
    config.credentials = CONFIG_KEYS_AUTO;
    config.access_key = "AK";
    cr_expect(eq(int, found_in(0), CONFIG_KEYS_CONFIG));
    config.access_key = "";
    for (size_t i = 0; i < COUNT(places); i++)
        cr_expect(eq(int, found_in(i), places[i].kind), "%zu", i);
    cr_expect(eq(int, found_in(COUNT(places)), CONFIG_KEYS_IMDS));
    config.credentials = CONFIG_KEYS_IMDS;
    cr_expect(eq(int, found_in(0), CONFIG_KEYS_IMDS), "unless one is named");
}

Test(credentials_files, a_profile_may_be_named_in_the_environment)
{
    put("f", PROFILE("A") "[b]\naws_access_key_id=B\naws_secret_access_key=s\n");
    config.credentials = CONFIG_KEYS_FILE;
    set_env("AWS_SHARED_CREDENTIALS_FILE", tmpdir_file(&dir, "f").path);
    set_env("AWS_PROFILE", "b");
    open_keys();
    cr_expect(eq(str, (char *)await_key(), "B"));
}
