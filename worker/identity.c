#include "worker/identity.h"

#include <stdio.h>
#include <string.h>

enum { HOST_MAX = 40 };

static void sanitise(char *s)
{
    for (; *s; s++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-",
                    *s))
            *s = '-';
}

void identity_format(const char *configured, const char *host, long pid,
                     char ret_id[static QUEUE_WORKER_ID_MAX + 1])
{
    struct uuid random = id_new();

    /* Both always fit: 40 + 1 + 10 + 1 + 4. */
    if (configured && *configured)
        (void)snprintf(ret_id, QUEUE_WORKER_ID_MAX + 1, "%s", configured);
    else
        (void)snprintf(ret_id, QUEUE_WORKER_ID_MAX + 1, "%.*s-%ld-%s", HOST_MAX, host,
                       pid, random.text + ID_UUID_LEN - 4);
    sanitise(ret_id);
}
