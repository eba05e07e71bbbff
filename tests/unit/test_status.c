/*
 * status: the words and shapes of php-fpm's status page.
 */
#include "fcgi-app/fastcgi/status.h"

#include "shared/cleanup.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(status, .timeout = 60);

static const struct status sample = {
    .start_s = 1767225600,
    .since_s = 60,
    .accepted = 12,
    .queue = 1,
    .max_queue = 5,
    .queue_len = 1024,
    .idle = 3,
    .active = 1,
    .max_active = 2,
    .max_reached = 0,
    .slow = 4,
    .count = 1,
    .handlers = {{.thread = 77,
                  .requests = 9,
                  .since_s = 50,
                  .duration_ms = 2,
                  .route = "v1/uploads/{}",
                  .method = "PUT",
                  .is_busy = true}},
};

static void check(const struct status *s, bool json, bool full, const char *want)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(4096);

    status_format(s, json, full, &b);
    cr_expect(eq(str, b.data, (char *)want));
}

Test(status, it_reads_as_php_fpm_s)
{
    check(&sample, false, false,
          "pool:                 hoist\nprocess manager:      dynamic\n"
          "start time:           01/Jan/2026:00:00:00 +0000\nstart since:          60\n"
          "accepted conn:        12\nlisten queue:         1\n"
          "max listen queue:     5\nlisten queue len:     1024\n"
          "idle processes:       3\nactive processes:     1\n"
          "total processes:      4\nmax active processes: 2\n"
          "max children reached: 0\nslow requests:        4\n");
    check(
        &sample, true, true,
        "{\"pool\":\"hoist\",\"process manager\":\"dynamic\",\"start time\":1767225600,"
        "\"start since\":60,\"accepted conn\":12,\"listen queue\":1,"
        "\"max listen queue\":5,\"listen queue len\":1024,\"idle processes\":3,"
        "\"active processes\":1,\"total processes\":4,\"max active processes\":2,"
        "\"max children reached\":0,\"slow requests\":4,\"processes\":[{\"pid\":77,"
        "\"state\":\"Running\",\"start since\":50,\"requests\":9,"
        "\"request duration\":2000,\"request method\":\"PUT\","
        "\"request uri\":\"v1/uploads/{}\"}]}\n");
}

Test(status, what_is_not_known_is_said_to_be)
{
    static struct status s;
    CLEANUP(buf_release) struct buf text = BUF_INIT(4096), json = BUF_INIT(4096);

    s = sample;
    s.queue = s.max_queue = s.queue_len = -1;
    s.handlers[0].is_busy = false;
    s.handlers[0].route = s.handlers[0].method = "";
    status_format(&s, false, true, &text);
    status_format(&s, true, true, &json);
    cr_expect(strstr(text.data, "\nlisten queue:         unknown\n") != NULL);
    cr_expect(strstr(text.data, "\nrequest uri:          -\n") != NULL);
    cr_expect(strstr(json.data, "\"listen queue\":null,\"max listen queue\":null,"
                                "\"listen queue len\":null,") != NULL);
    cr_expect(strstr(json.data, "\"state\":\"Idle\"") != NULL);
}
