/*
 * fuzz credentials_url: whatever stands in the variable of a container, a token goes over http to no host but those named.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/cleanup.h"
#include "worker/keys/credentials_url.h"

#include <stdlib.h>
#include <string.h>

static void check_full(const char *text)
{
    static const char *const near[] = {"127.", "localhost", "[::1]", "169.254.170.2",
                                       "[fd00:ec2::23]"};
    CLEANUP(buf_release) struct buf b = BUF_INIT(4096);
    struct err e = ERR_INIT;

    if (credentials_url_container(NULL, text, &b, &e) != ERR_OK ||
        strncmp(b.data, "https://", 8) == 0)
        return;
    if (strncmp(b.data, "http://", 7) != 0)
        abort();
    const char *host = b.data + 7;
    size_t authority = strcspn(host, "/?#");
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++)
        if (strncmp(host, near[i], strlen(near[i])) == 0 &&
            !memchr(host, '@', authority) && !memchr(host, '\\', authority))
            return;
    abort();
}

static void check_role(const char *text, size_t len)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(4096);
    struct err e = ERR_INIT;

    if (credentials_url_add_role(text, len, &b, &e) == ERR_OK &&
        (b.len == 0 || strpbrk(b.data, "/?# \r\n%")))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
    CLEANUP(buf_release) struct buf b = BUF_INIT(4096);
    struct err e = ERR_INIT;

    if (!buf_add(&text, data, size))
        return 0;
    check_full(text.data);
    check_role((const char *)data, size);
    if (credentials_url_container(text.data, NULL, &b, &e) == ERR_OK &&
        strncmp(b.data, "http://169.254.170.2/", 21) != 0)
        abort();
    return 0;
}
