/*
 * fuzz metrics_request: what is asked of a worker's metrics is judged the same however it arrives: no beginning of it is
 * anything but incomplete or what the whole is; and nobody without a whole head is answered with metrics.
 */
#include "tests/fuzz/fuzz.h"

#include "worker/metrics/metrics_request.h"

#include <stdlib.h>
#include <string.h>

static bool is_answered(enum metrics_request verdict)
{
    return verdict == METRICS_REQUEST_GET || verdict == METRICS_REQUEST_HEAD;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len = size < METRICS_REQUEST_MAX ? size : METRICS_REQUEST_MAX;
    char *text = malloc(len + 1); /* of that size, so that reading past its end shows */
    enum metrics_request first = METRICS_REQUEST_MORE;
    size_t step = len > 256 ? len / 256 : 1;

    if (!text)
        return 0;
    memcpy(text, data, len);
    for (size_t n = 0; n <= len && first == METRICS_REQUEST_MORE; n += step)
        first = metrics_request_parse(text, n, false);
    enum metrics_request whole = metrics_request_parse(text, len, false);
    enum metrics_request any = metrics_request_parse(text, len, true);
    if (first != METRICS_REQUEST_MORE && first != whole)
        abort();
    if (is_answered(whole) && any != whole)
        abort();
    if (is_answered(any) &&
        (len < 5 || (memcmp(text, "GET ", 4) != 0 && memcmp(text, "HEAD ", 5) != 0) ||
         !memchr(text, '\n', len)))
        abort();
    free(text);
    return 0;
}
