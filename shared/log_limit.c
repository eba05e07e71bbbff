#include "shared/log_limit.h"

/* FNV-1a, 64 bits: a text is told from a handful of others. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash ? hash : 1;
}

bool log_limit_passes(struct log_limit *l, const char *text, int64_t now_ms,
                      int64_t *ret_held)
{
    uint64_t hash = hash_text(text);
    struct log_limit_kind *kind = &l->kinds[0];

    for (size_t i = 0; i < LOG_LIMIT_KINDS && kind->hash != hash; i++)
        if (l->kinds[i].hash == hash || l->kinds[i].hash == 0 ||
            (kind->hash != 0 && l->kinds[i].said_ms < kind->said_ms))
            kind = &l->kinds[i];
    if (kind->hash != 0 && now_ms - kind->said_ms < LOG_LIMIT_MS) {
        if (kind->hash == hash)
            kind->held++;
        return false;
    }
    *ret_held = kind->hash == hash ? kind->held : 0;
    *kind = (struct log_limit_kind){.hash = hash, .said_ms = now_ms};
    return true;
}
