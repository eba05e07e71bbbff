#include "shared/s3_address.h"

#include <stdio.h>
#include <string.h>

#define AMAZON "s3.%s.amazonaws.com"

enum err_code s3_endpoint_parse(const struct config_destination *config,
                                struct s3_endpoint *ret, struct err *e)
{
    struct s3_endpoint at = {.https = true};
    const char *s = config->endpoint;

    if (!s || !*s) {
        (void)snprintf(at.authority, sizeof at.authority, AMAZON, config->region);
        *ret = at;
        return ERR_OK;
    }
    if (strncmp(s, "https://", 8) != 0 && strncmp(s, "http://", 7) != 0)
        return err_set(e, ERR_CONFIG, "endpoint: not http:// or https://");
    at.https = s[4] == 's';
    s += at.https ? 8 : 7;
    size_t len = strcspn(s, "/?#");
    const char *standard = at.https ? ":443" : ":80";
    size_t port = strlen(standard);
    if (len == 0 || len >= sizeof at.authority || (s[len] && strcmp(s + len, "/") != 0))
        return err_set(e, ERR_CONFIG, "endpoint: not http(s)://host[:port]");
    if (len > port && memcmp(s + len - port, standard, port) == 0)
        len -= port;
    memcpy(at.authority, s, len);
    *ret = at;
    return ERR_OK;
}

void s3_endpoint_move(struct s3_endpoint *endpoint, const char *from_region,
                      const char *to_region)
{
    char own[sizeof endpoint->authority];
    int len = snprintf(own, sizeof own, AMAZON, from_region);

    if (len < 0 || (size_t)len >= sizeof own || strcmp(endpoint->authority, own) != 0)
        return;
    len = snprintf(own, sizeof own, AMAZON, to_region);
    if (len > 0 && (size_t)len < sizeof own)
        memcpy(endpoint->authority, own, (size_t)len + 1);
}

void s3_address_add_object(struct buf *b, const struct config_destination *config,
                           const char *key)
{
    if (config->prefix && *config->prefix)
        BUF_PUTS(b, config->prefix, "/");
    buf_puts(b, key);
}

bool s3_address_locate(const struct config_destination *config,
                       const struct s3_endpoint *endpoint, const char *key,
                       struct buf *host, struct buf *path)
{
    if (config->style == CONFIG_VIRTUAL_STYLE)
        BUF_PUTS(host, config->bucket, ".");
    else
        BUF_PUTS(path, "/", config->bucket);
    buf_puts(host, endpoint->authority);
    if (key || path->len == 0)
        buf_putc(path, '/');
    if (key)
        s3_address_add_object(path, config, key);
    return !host->failed && !path->failed;
}
