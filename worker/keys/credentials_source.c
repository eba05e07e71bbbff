#include "worker/keys/credentials_source.h"

#include <stdlib.h>
#include <string.h>

#include "shared/cleanup.h"
#include "shared/config_file.h"

enum { PATH_SIZE_MAX = 4096, FILE_SIZE_MAX = 256 * 1024 };

static bool is_set(const char *text)
{
    return text && *text;
}

static const char *value(const struct credentials_source *s, const char *name)
{
    return config_env_value(s->env, name);
}

/* --- which --- */

static enum err_code find_file(struct credentials_source *s, struct err *e)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(PATH_SIZE_MAX);
    const char *named = value(s, "AWS_SHARED_CREDENTIALS_FILE");
    const char *home = value(s, "HOME");

    if (is_set(s->config->credentials_file))
        named = s->config->credentials_file;
    if (!named && !home)
        return err_set(e, ERR_CONFIG,
                       "no credentials_file is set, and there is no HOME to find "
                       ".aws/credentials in");
    if (named)
        buf_puts(&b, named);
    else
        buf_puts_all(&b, (const char *const[]){home, "/.aws/credentials", NULL});
    s->path = buf_detach(&b);
    return s->path ? ERR_OK
                   : err_set(e, b.starved ? ERR_NOMEM : ERR_CONFIG,
                             "the path of the credentials file is too long");
}

static bool has_file(struct credentials_source *s)
{
    struct err e = ERR_INIT;
    struct stat st;

    return find_file(s, &e) == ERR_OK && stat(s->path, &st) == 0;
}

static bool has_web_identity(const struct credentials_source *s)
{
    return value(s, "AWS_WEB_IDENTITY_TOKEN_FILE") && value(s, "AWS_ROLE_ARN");
}

static bool has_container(const struct credentials_source *s)
{
    return value(s, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") ||
           value(s, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

static bool has_environment(const struct credentials_source *s)
{
    return value(s, "AWS_ACCESS_KEY_ID") && value(s, "AWS_SECRET_ACCESS_KEY");
}

static enum config_credentials choose(struct credentials_source *s)
{
    if (is_set(s->config->access_key))
        return CONFIG_KEYS_CONFIG;
    if (has_environment(s))
        return CONFIG_KEYS_ENVIRONMENT;
    if (has_file(s))
        return CONFIG_KEYS_FILE;
    if (has_web_identity(s))
        return CONFIG_KEYS_WEB_IDENTITY;
    return has_container(s) ? CONFIG_KEYS_CONTAINER : CONFIG_KEYS_IMDS;
}

/* What was asked for by name must be there. */
static enum err_code check(struct credentials_source *s, struct err *e)
{
    switch (s->kind) {
    case CONFIG_KEYS_ENVIRONMENT:
        if (!has_environment(s))
            return err_set(e, ERR_CONFIG,
                           "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set");
        break;
    case CONFIG_KEYS_FILE:
        return s->path ? ERR_OK : find_file(s, e);
    case CONFIG_KEYS_WEB_IDENTITY:
        if (!has_web_identity(s))
            return err_set(e, ERR_CONFIG,
                           "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not set");
        break;
    case CONFIG_KEYS_CONTAINER:
        if (!has_container(s))
            return err_set(e, ERR_CONFIG,
                           "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and …_FULL_URI are "
                           "not set");
        break;
    case CONFIG_KEYS_AUTO:
    case CONFIG_KEYS_CONFIG:
    case CONFIG_KEYS_IMDS:
        break;
    }
    return ERR_OK;
}

enum err_code credentials_source_init(struct credentials_source *ret,
                                      const struct config_destination *config,
                                      char *const *env, struct err *e)
{
    *ret = (struct credentials_source){
        .config = config, .env = env, .kind = config->credentials};
    if (ret->kind == CONFIG_KEYS_AUTO)
        ret->kind = choose(ret);
    return check(ret, e);
}

void credentials_source_release(struct credentials_source *s)
{
    free(s->path);
    s->path = NULL;
}

const char *credentials_source_name(const struct credentials_source *s)
{
    static const char *const names[] = {"auto", "config",    "environment", "file",
                                        "imds", "container", "web_identity"};

    return names[s->kind];
}

bool credentials_source_is_local(const struct credentials_source *s)
{
    return s->kind == CONFIG_KEYS_CONFIG || s->kind == CONFIG_KEYS_ENVIRONMENT ||
           s->kind == CONFIG_KEYS_FILE;
}

/* --- reading --- */

/* The files it is read from; NULL or "" where there is none. */
static void list_files(const struct credentials_source *s,
                       const char *ret[CREDENTIALS_FILES])
{
    ret[0] = ret[1] = NULL;
    if (s->kind == CONFIG_KEYS_FILE)
        ret[0] = s->path;
    if (s->kind == CONFIG_KEYS_CONFIG) {
        ret[0] = s->config->secret_key_file;
        ret[1] = s->config->session_token_file;
    }
}

/* All zero where there is none. */
static struct stat look(const char *path)
{
    struct stat st;

    if (!is_set(path) || stat(path, &st) != 0)
        memset(&st, 0, sizeof st);
    return st;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
           a->st_size == b->st_size && a->st_mode == b->st_mode &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool credentials_source_changed(const struct credentials_source *s)
{
    const char *paths[CREDENTIALS_FILES];

    list_files(s, paths);
    for (size_t i = 0; i < CREDENTIALS_FILES; i++) {
        struct stat now = look(paths[i]);
        if (!is_same(&now, &s->seen[i]))
            return true;
    }
    return false;
}

/* The secret in a file, else the one that was loaded with the configuration. */
static enum err_code read_one(const char *path, const char *loaded, char **ret,
                              struct err *e)
{
    if (is_set(path))
        return config_file_read_secret(path, ret, e);
    *ret = strdup(loaded ? loaded : "");
    return *ret ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a secret");
}

static void free_secret(char *s)
{
    explicit_bzero(s, strlen(s));
    free(s);
}

DEFINE_CLEANUP(char *, secret_free, free_secret)

static enum err_code read_config(const struct config_destination *c, struct keys *ret,
                                 struct err *e)
{
    CLEANUP(secret_free) char *secret = NULL;
    CLEANUP(secret_free) char *token = NULL;

    if (read_one(c->secret_key_file, c->secret_key, &secret, e) != ERR_OK ||
        read_one(c->session_token_file, c->session_token, &token, e) != ERR_OK)
        return e->code;
    return keys_set(ret, c->access_key, secret, token, e);
}

static enum err_code read_file(const struct credentials_source *s, struct keys *ret,
                               struct err *e)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_SIZE_MAX);
    const char *profile =
        is_set(s->config->profile) ? s->config->profile : value(s, "AWS_PROFILE");
    enum err_code code = config_file_read_private(s->path, &b, e);

    if (code == ERR_OK)
        code = keys_from_profile(b.data, b.len, profile ? profile : "default", ret, e);
    explicit_bzero(b.data, b.len);
    return code;
}

enum err_code credentials_source_read(struct credentials_source *s, struct keys *ret,
                                      struct err *e)
{
    const char *paths[CREDENTIALS_FILES];

    /* Before it is read: what changes meanwhile is seen the next time. */
    list_files(s, paths);
    for (size_t i = 0; i < CREDENTIALS_FILES; i++)
        s->seen[i] = look(paths[i]);
    if (s->kind == CONFIG_KEYS_CONFIG)
        return read_config(s->config, ret, e);
    if (s->kind == CONFIG_KEYS_FILE)
        return read_file(s, ret, e);
    return keys_set(ret, value(s, "AWS_ACCESS_KEY_ID"),
                    value(s, "AWS_SECRET_ACCESS_KEY"), value(s, "AWS_SESSION_TOKEN"),
                    e);
}
