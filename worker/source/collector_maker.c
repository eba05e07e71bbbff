#include "worker/source/collector_maker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct collector_maker *collector_maker_new(const struct collector_options *o,
                                            int number, struct err *e)
{
    struct collector_maker *m = calloc(1, sizeof *m);

    if (!m) {
        (void)err_set(e, ERR_NOMEM, "no memory for a part");
        return NULL;
    }
    m->part.number = number;
    m->with_sha256 = o->with_sha256;
    if (m->with_sha256 && digest_sha256_init(&m->sha256, e) != ERR_OK) {
        free(m);
        return NULL;
    }
    m->with_md5 = o->with_md5 && digest_md5_init(&m->md5, e) == ERR_OK;
    return m;
}

void collector_maker_free(struct collector_maker *m)
{
    if (m->memory)
        (void)munmap(m->memory, (size_t)m->part.room);
    digest_sha256_release(&m->sha256);
    digest_md5_release(&m->md5);
    free(m);
}

void collector_maker_pass(struct collector_maker *m, const void *data, size_t len)
{
    if (m->with_sha256)
        digest_sha256_update(&m->sha256, data, len);
    if (m->with_md5)
        digest_md5_update(&m->md5, data, len);
    m->part.sums.crc32c = digest_crc32c(m->part.sums.crc32c, data, len);
    m->part.len += (int64_t)len;
}

bool collector_maker_seal(struct collector_maker *m, const char *small,
                          const uint8_t *whole, struct err *e)
{
    struct s3_part_sums *sums = &m->part.sums;

    sums->has_sha256 = whole || m->with_sha256;
    if (whole)
        memcpy(sums->sha256, whole, sizeof sums->sha256);
    else if (m->with_sha256 &&
             digest_sha256_final(&m->sha256, sums->sha256, e) != ERR_OK)
        return false;
    sums->has_md5 = m->with_md5 && digest_md5_final(&m->md5, sums->md5, e) == ERR_OK;
    digest_sha256_release(&m->sha256);
    digest_md5_release(&m->md5);
    m->part.data = m->memory ? m->memory : small;
    return true;
}
