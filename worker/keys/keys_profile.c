#include "worker/keys/keys.h"

#include <string.h>
#include <strings.h>

struct span {
    const char *at;
    size_t len;
};

struct found {
    struct span access_key, secret_key, session_token;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span s)
{
    while (s.len && is_blank(s.at[0])) {
        s.at++;
        s.len--;
    }
    while (s.len && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

static bool is_word(struct span s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

/* The line at *rest, which then stands behind it. */
static struct span take_line(struct span *rest)
{
    const char *end = memchr(rest->at, '\n', rest->len);
    struct span line = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
    size_t taken = line.len + (end ? 1 : 0);

    rest->at += taken;
    rest->len -= taken;
    return line;
}

/* Whether "[name]" names this profile; a comment may follow. */
static bool names_profile(struct span line, const char *profile)
{
    const char *close = memchr(line.at, ']', line.len);

    if (!close)
        return false;
    struct span name = trim((struct span){line.at + 1, (size_t)(close - line.at) - 1});
    return name.len == strlen(profile) && memcmp(name.at, profile, name.len) == 0;
}

/* A key has no blanks: what follows one is a comment. */
static struct span until_blank(struct span s)
{
    size_t len = 0;

    while (len < s.len && !is_blank(s.at[len]))
        len++;
    return (struct span){s.at, len};
}

static void take_setting(struct span line, struct found *f)
{
    const char *equals = memchr(line.at, '=', line.len);

    if (!equals)
        return;
    struct span key = trim((struct span){line.at, (size_t)(equals - line.at)});
    struct span value = until_blank(
        trim((struct span){equals + 1, line.len - (size_t)(equals - line.at) - 1}));
    if (is_word(key, "aws_access_key_id"))
        f->access_key = value;
    else if (is_word(key, "aws_secret_access_key"))
        f->secret_key = value;
    else if (is_word(key, "aws_session_token"))
        f->session_token = value;
}

/* False: there is no such section. */
static bool find_profile(struct span rest, const char *profile, struct found *ret)
{
    bool inside = false, found = false;

    while (rest.len) {
        struct span line = take_line(&rest);
        if (line.len == 0 || is_blank(line.at[0]) || strchr("#;", line.at[0]))
            continue;
        if (line.at[0] == '[') {
            inside = names_profile(line, profile);
            found = found || inside;
        } else if (inside) {
            take_setting(line, ret);
        }
    }
    return found;
}

/* A text of its own, for keys_set; false: it is too long for anything that is a key. */
static bool copy(struct span s, char *ret, size_t size)
{
    if (s.len >= size || memchr(s.at, '\0', s.len))
        return false;
    memcpy(ret, s.at, s.len);
    ret[s.len] = '\0';
    return true;
}

enum err_code keys_from_profile(const char *s, size_t len, const char *profile,
                                struct keys *ret, struct err *e)
{
    struct found f = {{"", 0}, {"", 0}, {"", 0}};
    struct keys k;
    enum err_code code = ERR_OK;

    keys_wipe(ret);
    if (!find_profile((struct span){s, len}, profile, &f))
        return err_set(e, ERR_REJECT, "there is no section [%.60s]", profile);
    if (!copy(f.access_key, k.access_key, sizeof k.access_key) ||
        !copy(f.secret_key, k.secret_key, sizeof k.secret_key) ||
        !copy(f.session_token, k.session_token, sizeof k.session_token))
        code = err_set(e, ERR_REJECT, "[%.60s] has a key that is none", profile);
    if (code == ERR_OK)
        code = keys_set(ret, k.access_key, k.secret_key, k.session_token, e);
    if (code != ERR_OK)
        (void)err_prefix(e, "[%.60s]", profile);
    keys_wipe(&k);
    return code;
}
