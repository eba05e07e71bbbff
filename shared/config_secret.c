#include "shared/config_load.h"

#include "shared/cleanup.h"
#include "shared/config_file.h"
#include "shared/config_url.h"
#include "shared/config_value.h"

#include <string.h>

enum { ACCESS_KEY_MAX = 128 };

static const char alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                            "0123456789";

enum err_code config_blame(const struct config_load *l, struct config_where where,
                           const char *key, struct err *e)
{
    return config_load_blame(l, where, config_find_setting(where.kind, key), e);
}

bool config_is_word(const char *s, const char *more, size_t max)
{
    size_t len = strlen(s);

    for (size_t i = 0; i < len; i++)
        if (!strchr(alnum, s[i]) && !strchr(more, s[i]))
            return false;
    return len >= 1 && len <= max;
}

/* --- Files with secrets --- */

/* Of systemd: a name without a path. */
static bool is_credential_name(const char *name)
{
    return *name && strlen(name) < 256 && !strchr(name, '/') &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* credential:NAME in *path becomes the file that systemd put there. */
static enum err_code resolve_credential(const struct config_load *l, char **path,
                                        struct err *e)
{
    static const char prefix[] = CONFIG_CREDENTIAL;
    CLEANUP(buf_release) struct buf b = BUF_INIT(CONFIG_TEXT_MAX);
    const char *dir, *name = *path + sizeof prefix - 1;

    if (strncmp(*path, prefix, sizeof prefix - 1) != 0)
        return ERR_OK;
    if (!is_credential_name(name))
        return err_set(e, ERR_CONFIG, "'%.60s' is not the name of a credential", name);
    dir = config_env_value(l->env, "CREDENTIALS_DIRECTORY");
    if (!dir)
        return err_set(e, ERR_CONFIG,
                       "CREDENTIALS_DIRECTORY is not set: systemd does so for a unit "
                       "with LoadCredential=%.60s:…",
                       name);
    buf_puts_all(&b, (const char *const[]){dir, "/", name, NULL});
    char *file = buf_detach(&b);
    if (!file)
        return err_set(e, ERR_CONFIG, "the path in CREDENTIALS_DIRECTORY is too long");
    free(*path);
    *path = file;
    return ERR_OK;
}

/* Who knocks is the responder's to know.  It signs nothing but URLs of objects, where presign says so: else it does without the secrets of stores, which
 * its user then need not be able to read. */
static bool is_needed(const struct config_load *l, struct config_where where)
{
    if (where.kind == CONFIG_KIND_AUTH)
        return l->for_responder;
    if (where.kind == CONFIG_KIND_WEBHOOK)
        return !l->for_responder;
    return !l->for_responder || where.kind != CONFIG_KIND_DESTINATION ||
           l->config.destinations[where.index].presign;
}

/* The setting KEY for a setting KEY_file that names a file with a secret, or NULL. */
static const struct config_setting *find_secret_of(const struct config_setting *file)
{
    static const char end[] = "_file";
    size_t len = strlen(file->key);
    char key[64];

    if (len <= sizeof end - 1 || len >= sizeof key ||
        strcmp(file->key + len - (sizeof end - 1), end) != 0)
        return NULL;
    memcpy(key, file->key, len);
    key[len - (sizeof end - 1)] = '\0';
    const struct config_setting *s = config_find_setting(file->kind, key);
    return s && s->privacy == CONFIG_SECRET ? s : NULL;
}

/* Of a secret and a file with it, one may be given; the environment wins over the file of settings. */
static enum err_code read_secret(struct config_load *l, struct config_where where,
                                 const struct config_setting *file, struct err *e)
{
    void *section = config_load_section(l, where);
    const struct config_setting *secret = find_secret_of(file);
    char **path = config_value_string(file, section);
    char **value = config_value_string(secret, section);
    bool file_env = config_load_origin(l, where, file) == CONFIG_FROM_ENVIRONMENT;
    bool value_env = config_load_origin(l, where, secret) == CONFIG_FROM_ENVIRONMENT;

    if (**path == '\0')
        return ERR_OK;
    if (**value != '\0' && file_env == value_env) {
        err_set(e, ERR_CONFIG, "%s is set, too: one of the two is allowed",
                secret->key);
        return config_load_blame(l, where, file, e);
    }
    if (**value != '\0' && value_env)
        return config_value_set(file, "", section, e);
    if (!is_needed(l, where))
        return ERR_OK;
    char *text;
    if (resolve_credential(l, path, e) || config_file_read_secret(*path, &text, e))
        return config_load_blame(l, where, file, e);
    free(*value);
    *value = text;
    return ERR_OK;
}

/* A secret in a file that everybody can read is none. */
static enum err_code check_exposure(const struct config_load *l,
                                    struct config_where where,
                                    const struct config_setting *s, const char *value,
                                    struct err *e)
{
    size_t start, len;
    bool secret = s->privacy == CONFIG_SECRET
                      ? *value != '\0'
                      : config_url_find_secret(value, &start, &len);

    if (!secret || config_load_origin(l, where, s) <= 0 || !(l->mode & 0007))
        return ERR_OK;
    err_set(
        e, ERR_CONFIG,
        "the file has a secret and mode %04o: chmod o= it, or put the secret into a "
        "file of its own",
        (unsigned)l->mode);
    return config_load_blame(l, where, s, e);
}

enum err_code config_check_secrets(struct config_load *l, struct err *e)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *s = &config_settings[i];
        for (size_t k = 0; k < config_section_count(&l->config, s->kind); k++) {
            struct config_where where = {s->kind, k};
            void *section = config_load_section(l, where);
            if (s->privacy != CONFIG_PUBLIC &&
                check_exposure(l, where, s, *config_value_string(s, section), e))
                return e->code;
            if (find_secret_of(s) && read_secret(l, where, s, e))
                return e->code;
        }
    }
    return ERR_OK;
}

/* --- Keys of a store --- */

static enum err_code check_keys(const struct config_load *l, struct config_where where,
                                struct err *e)
{
    const struct config_destination *d = &l->config.destinations[where.index];
    bool has_secret = *d->secret_key != '\0' || *d->secret_key_file != '\0';

    if (*d->access_key == '\0' && !has_secret && d->credentials == CONFIG_KEYS_AUTO)
        return ERR_OK;
    if (*d->access_key == '\0' || !has_secret) {
        err_set(e, ERR_CONFIG,
                "is needed: access_key and secret_key or secret_key_file go together "
                "(credentials says where else keys may come from)");
        return config_blame(l, where, *d->access_key ? "secret_key" : "access_key", e);
    }
    if (!config_is_word(d->access_key, "-_.+=@:", ACCESS_KEY_MAX)) {
        err_set(e, ERR_CONFIG,
                "'%.60s' is not up to %d of A-Z a-z 0-9 -_.+=@:", d->access_key,
                ACCESS_KEY_MAX);
        return config_blame(l, where, "access_key", e);
    }
    return ERR_OK;
}

/* Keys that would not be used are a mistake. */
static enum err_code check_no_keys(const struct config_load *l,
                                   struct config_where where, struct err *e)
{
    static const char *const keys[] = {"access_key", "secret_key", "secret_key_file",
                                       "session_token", "session_token_file"};
    const struct config_destination *d = &l->config.destinations[where.index];
    const char *const values[] = {d->access_key, d->secret_key, d->secret_key_file,
                                  d->session_token, d->session_token_file};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (*values[i] == '\0')
            continue;
        err_set(e, ERR_CONFIG, "goes with credentials = config or auto alone");
        return config_blame(l, where, keys[i], e);
    }
    return ERR_OK;
}

static enum err_code check_service(const struct config_load *l,
                                   struct config_where where, const char *key,
                                   const char *url, struct err *e)
{
    if (*url == '\0' || config_url_is_endpoint(url))
        return ERR_OK;
    err_set(e, ERR_CONFIG,
            "'%.60s' is not http://HOST[:PORT] or https://HOST[:PORT], without a path "
            "or a '/' at its end",
            url);
    return config_blame(l, where, key, e);
}

enum err_code config_check_credentials(struct config_load *l, size_t index,
                                       struct err *e)
{
    struct config_where where = {CONFIG_KIND_DESTINATION, index};
    struct config_destination *d = &l->config.destinations[index];
    bool from_config =
        d->credentials == CONFIG_KEYS_AUTO || d->credentials == CONFIG_KEYS_CONFIG;

    if (from_config ? check_keys(l, where, e) : check_no_keys(l, where, e))
        return e->code;
    if (is_needed(l, where) && resolve_credential(l, &d->credentials_file, e))
        return config_blame(l, where, "credentials_file", e);
    return check_service(l, where, "imds_endpoint", d->imds_endpoint, e) ||
                   check_service(l, where, "sts_endpoint", d->sts_endpoint, e)
               ? e->code
               : ERR_OK;
}
