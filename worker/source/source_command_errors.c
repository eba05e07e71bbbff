#include "worker/source/source_command_errors.h"

#include "shared/buf.h"
#include "shared/job.h"
#include "shared/utf8.h"

#include <string.h>

/* Controls, and what turns the reading direction or breaks lines. */
static bool is_harmful(uint32_t point)
{
    return point <= 0x20 || (point >= 0x7f && point <= 0xa0) || point == 0x061c ||
           point == 0x200e || point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

char *source_command_detail(const char *why, const char *errors, size_t len)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_ERROR_MAX);
    const char *gap = ": "; /* what stands before the next character */

    buf_puts(&b, why);
    while (len > 0 && !b.failed) {
        uint32_t point = 0;
        size_t n = utf8_decode(errors, len, &point);
        if (n > 0 && !is_harmful(point)) {
            size_t before = b.len;
            if (!buf_puts(&b, gap) || !buf_add(&b, errors, n)) {
                b.len = before; /* full: as much as there is room for */
                b.data[before] = '\0';
                b.failed = false;
                break;
            }
            gap = "";
        } else if (*errors == '\n' && *gap != ':') {
            gap = "; ";
        } else if (*gap == '\0') {
            gap = " ";
        }
        n = n > 0 ? n : 1;
        errors += n;
        len -= n;
    }
    return buf_detach(&b);
}
