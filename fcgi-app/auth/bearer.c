#include "fcgi-app/auth/bearer.h"

#include "shared/peers.h"

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
    struct in6_addr address;
    if (!remote_addr)
        return false;
    if (peers_parse_address(remote_addr, &address))
        return peers_is_loopback(&address);
    return strcmp(remote_addr, "unix:") == 0;
}
