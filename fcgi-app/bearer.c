#include "fcgi-app/bearer.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum bearer bearer_parse(const char *header, const char **ret_token, size_t *ret_len)
{
    static const char scheme[] = "Bearer";
    enum { SCHEME_LEN = sizeof scheme - 1 };
    if (!header || !*header)
        return BEARER_NONE;
    if (strncasecmp(header, scheme, SCHEME_LEN) != 0 ||
        (header[SCHEME_LEN] != ' ' && header[SCHEME_LEN] != '\0'))
        return BEARER_OTHER;
    const char *token = header + SCHEME_LEN + strspn(header + SCHEME_LEN, " ");
    size_t len = strnlen(token, CONFIG_TOKEN_MAX + 1);
    if (!config_token_is_well_formed(token, len))
        return BEARER_BROKEN;
    *ret_token = token;
    *ret_len = len;
    return BEARER_TOKEN;
}

const struct config_auth *
bearer_find(const struct config *config,
            const unsigned char hash[static DIGEST_SHA256_BYTES])
{
    size_t found = CONFIG_AUTHS_MAX;
    for (size_t i = 0; i < config->auth_count; i++)
        for (size_t k = 0; k < 2; k++) { /* one that is not there, too */
            const struct config_auth *a = &config->auths[i];
            bool there = k < a->hash_count;
            bool equal = digest_is_equal(hash, a->hashes[k], sizeof a->hashes[k]);
            size_t mask = (size_t)0 - (size_t)(there & equal); /* all bits, or none */
            found = (i & mask) | (found & ~mask);
        }
    return found < CONFIG_AUTHS_MAX ? &config->auths[found] : NULL;
}

bool bearer_is_local(const char *remote_addr)
{
    struct in_addr four;
    struct in6_addr six;
    if (!remote_addr)
        return false;
    if (inet_pton(AF_INET, remote_addr, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, remote_addr, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six) ||
               (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
    return strcmp(remote_addr, "unix:") == 0;
}
