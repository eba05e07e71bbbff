/*
 * The destination s3: and damage: bits that flip in the spool and on the way, answers that end too soon, leases that do.  Never
 * is an object of other bytes called done.
 */
#include "tests/integration/dest_s3_harness.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

#include "shared/clock.h"
#include "tests/support/wait_until.h"

TestSuite(dest_s3_damage, .init = up, .fini = down, .timeout = 120);

enum { SIZE = 300 * 1024 + 17, FLIPS = 24 }; /* several pieces, the last one small */

static char body[SIZE];
static const enum config_checksum checksums[] = {CONFIG_SHA256, CONFIG_CRC32C,
                                                 CONFIG_NO_CHECKSUM};
enum { CHECKSUMS = sizeof checksums / sizeof checksums[0] };
static uint64_t seed;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* HOIST_TEST_SEED takes a run up again. */
static void fill_body(void)
{
    const char *given = getenv("HOIST_TEST_SEED");

    seed = given ? strtoull(given, NULL, 10) : (uint64_t)clock_mono_us() | 1;
    fprintf(stderr, "HOIST_TEST_SEED=%llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (char)next_random();
}

/* Where a bit flips: the ends, the borders of pieces, and anywhere. */
static int64_t place(int i)
{
    static const int64_t fixed[] = {
        0,         SIZE - 1,       SIZE / 2,          64 * 1024 - 1,
        64 * 1024, 2 * 128 * 1024, 2 * 128 * 1024 + 1};
    enum { FIXED = sizeof fixed / sizeof fixed[0] };

    return i < FIXED ? fixed[i] : (int64_t)(next_random() % SIZE);
}

static struct dest_result send_body(const struct job *j, const char *data)
{
    return dest_run(&loop, dest, j, dest_data(data, SIZE));
}

Test(dest_s3_damage, a_bit_that_flipped_in_the_spool_never_becomes_an_object)
{
    fill_body();
    struct job j = dest_job("a key", body, SIZE);

    for (int i = 0; i < FLIPS; i++) {
        int64_t at = place(i);
        config.checksum = checksums[i % CHECKSUMS];
        open_afresh();
        body[at] ^= (char)(1 << next_random() % 8);
        char damaged = body[at];
        struct dest_result r = send_body(&j, body);
        cr_expect(not(r.outcome.done), "byte %d", (int)at);
        cr_expect(eq(int, r.outcome.class, RETRY_NEVER), "byte %d", (int)at);
        cr_expect(strstr(r.outcome.error, "spool corrupt: its CRC-32C") != NULL, "%s",
                  r.outcome.error);
        cr_expect(eq(int, stored(), 0));
        body[at] = damaged;
        job_release(&j);
        j = dest_job("a key", body, SIZE); /* what it is now is right */
    }
    struct dest_result r = send_body(&j, body);
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_s3_damage, bytes_that_do_not_have_their_crc_never_become_an_object)
{
    fill_body();
    struct job j = dest_job("a key", body, SIZE);

    j.crc32c[7] = j.crc32c[7] == '0' ? '1' : '0';
    struct dest_result r = send_body(&j, body);
    cr_expect(eq(int, r.outcome.class, RETRY_NEVER));
    cr_expect(strstr(r.outcome.error, "spool corrupt: its CRC-32C") != NULL, "%s",
              r.outcome.error);
    cr_expect(eq(int, stored(), 0));
    job_release(&j);
}

/* The store finds out: by the checksum, or by the payload hash that is signed over http. */
Test(dest_s3_damage, a_bit_that_flips_on_the_way_is_refused_and_tried_again)
{
    static const char *const refused[] = {"BadDigest", "BadDigest",
                                          "XAmzContentSHA256Mismatch"};
    struct s3_faulty_object o;

    fill_body();
    for (int i = 0; i < FLIPS; i++) {
        int which = i % CHECKSUMS, before = stored();
        struct job j = dest_job("a key", body, SIZE);
        config.checksum = checksums[which];
        config.conditional = false; /* each is stored again */
        open_afresh();
        s3_faulty_push(
            s3, (struct s3_fault){.kind = S3_FAULT_FLIP_IN_BODY, .bytes = place(i)});
        struct dest_result r = send_body(&j, body);
        cr_expect(not(r.outcome.done));
        cr_expect(eq(int, r.outcome.class, RETRY_TRANSIENT));
        cr_expect(strstr(r.outcome.error, refused[which]) != NULL, "%s",
                  r.outcome.error);
        cr_expect(eq(int, stored(), before), "nothing was stored");
        r = send_body(&j, body);
        cr_expect(r.outcome.done, "%s", r.outcome.error);
        cr_assert(s3_faulty_object(s3, PATH, &o));
        cr_expect(eq(str, o.sha256, j.sha256));
        outcome_release(&r.outcome);
        job_release(&j);
    }
}

/* It stores them, and tells what it has: by a checksum, or by its ETag. */
Test(dest_s3_damage, a_store_that_takes_flipped_bits_is_found_out)
{
    fill_body();
    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.trusting = true});
    for (int i = 0; i < FLIPS; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "k%d", i);
        struct job j = dest_job(key, body, SIZE);
        config.checksum = checksums[i % CHECKSUMS];
        open_afresh();
        s3_faulty_push(
            s3, (struct s3_fault){.kind = S3_FAULT_FLIP_IN_BODY, .bytes = place(i)});
        struct dest_result r = send_body(&j, body);
        cr_expect(not(r.outcome.done));
        cr_expect(eq(int, r.outcome.class, RETRY_TRANSIENT), "%s", r.outcome.error);
        cr_expect(strstr(r.outcome.error, "other bytes") != NULL, "%s",
                  r.outcome.error);
        r = send_body(&j, body);
        cr_expect(eq(int, r.outcome.class, RETRY_NEVER), "%s", r.outcome.error);
        cr_expect(strstr(r.outcome.error, "other content") != NULL, "%s",
                  r.outcome.error);
        job_release(&j);
    }
}

/* --- which checksum, and what it saves --- */

Test(dest_s3_damage, crc_32c_is_sent_instead_of_sha_256_and_proves_the_object)
{
    char head[8192];

    config.checksum = CONFIG_CRC32C;
    open_afresh();
    struct job j = dest_job("a key", "123456789", 9);
    struct dest_result r = dest_run(&loop, dest, &j, dest_data("123456789", 9));
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    s3_faulty_head(s3, "PUT", head, sizeof head);
    /* The check value of the CRC-32C, e3069283, in base64. */
    cr_expect(strstr(head, "\r\nx-amz-checksum-crc32c: 4waSgw==\r\n") != NULL, "%s",
              head);
    cr_expect(strstr(head, "x-amz-checksum-sha256") == NULL, "%s", head);
    cr_expect(strstr(head, "x-amz-checksum-crc32c;") != NULL, "it is signed: %s", head);
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 0));
    struct dest_result again = dest_run(&loop, dest, &j, dest_data("123456789", 9));
    cr_expect(again.outcome.done, "412, and HEAD tells the CRC: %s",
              again.outcome.error);
    s3_faulty_head(s3, "HEAD", head, sizeof head);
    cr_expect(strstr(head, "\r\nx-amz-checksum-mode: ENABLED\r\n") != NULL, "%s", head);
    outcome_release(&r.outcome);
    outcome_release(&again.outcome);
    job_release(&j);
}

Test(dest_s3_damage, a_job_without_a_crc_is_sent_with_its_sha_256)
{
    char head[8192];

    config.checksum = CONFIG_CRC32C;
    open_afresh();
    struct job j = dest_job("a key", BODY, strlen(BODY));
    free(j.crc32c);
    j.crc32c = NULL;
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(BODY, strlen(BODY)));
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    s3_faulty_head(s3, "PUT", head, sizeof head);
    cr_expect(strstr(head, "\r\nx-amz-checksum-sha256: ") != NULL, "%s", head);
    outcome_release(&r.outcome);
    job_release(&j);
}

/* The MD5 is computed afterwards for the first, and on the way for all others. */
Test(dest_s3_damage, a_store_that_tells_no_checksum_is_asked_once)
{
    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.silent_checksums = true});
    for (int i = 0; i < 4; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "k%d", i);
        struct job j = dest_job(key, BODY, strlen(BODY));
        struct dest_result r = dest_run(&loop, dest, &j, dest_data(BODY, strlen(BODY)));
        cr_expect(r.outcome.done, "%s", r.outcome.error);
        outcome_release(&r.outcome);
        job_release(&j);
    }
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 1));
    cr_expect(eq(int, s3_faulty_objects(s3), 4));
}

/* --- leases --- */

Test(dest_s3_damage, nothing_is_sent_under_a_lease_that_is_over)
{
    _Atomic int64_t until_ms = clock_boot_ms() - 1;
    struct job j = dest_job("a key", BODY, strlen(BODY));
    struct dest_result r = {0};
    struct destination_work w = {.job = &j,
                                 .fd = dest_data(BODY, strlen(BODY)),
                                 .until_ms = &until_ms,
                                 .done = dest_on_done,
                                 .ctx = &r};

    cr_assert(destination_begin(dest, &w) != NULL);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(r.outcome.aborted);
    cr_expect(not(r.outcome.done));
    cr_expect(eq(int, s3_faulty_count(s3, NULL), 0));
    job_release(&j);
}

Test(dest_s3_damage, the_rest_of_a_body_does_not_leave_when_its_lease_is_over)
{
    enum { HUGE_BODY = 32 << 20 }; /* more than socket buffers take */
    _Atomic int64_t until_ms = INT64_MAX;
    char *data = calloc(1, HUGE_BODY);
    struct job j = dest_job("a key", data, HUGE_BODY);
    struct dest_result r = {0};
    struct destination_work w = {.job = &j,
                                 .fd = dest_data(data, HUGE_BODY),
                                 .until_ms = &until_ms,
                                 .done = dest_on_done,
                                 .ctx = &r};

    s3_faulty_push(s3,
                   (struct s3_fault){.kind = S3_FAULT_GATE_IN_BODY, .bytes = 100000});
    s3_faulty_close_gate(s3);
    cr_assert(destination_begin(dest, &w) != NULL);
    cr_assert(
        WAIT_UNTIL((uv_run(&loop, UV_RUN_NOWAIT), s3_faulty_waiting(s3) == 1), 5000));
    until_ms = clock_boot_ms();
    s3_faulty_open_gate(s3);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(r.outcome.aborted, "%s", r.outcome.error);
    cr_expect(eq(int, stored(), 0));
    job_release(&j);
    free(data);
}

/* --- connections that break or hang --- */

Test(dest_s3_damage, a_connection_that_breaks_anywhere_in_a_body_leaves_nothing)
{
    enum { BREAKS = 20 };

    fill_body();
    struct job j = dest_job("a key", body, SIZE);
    for (int i = 0; i < BREAKS; i++) {
        s3_faulty_push(
            s3, (struct s3_fault){.kind = S3_FAULT_CLOSE_IN_BODY, .bytes = place(i)});
        open_afresh();
        struct dest_result r = send_body(&j, body);
        cr_expect(not(r.outcome.done));
        cr_expect(eq(int, r.outcome.class, RETRY_TRANSIENT), "%s", r.outcome.error);
        cr_expect(eq(int, stored(), 0));
    }
    struct dest_result r = send_body(&j, body);
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    outcome_release(&r.outcome);
    job_release(&j);
}

/* A listener of which nobody accepts: the TLS handshake never begins. */
Test(dest_s3_damage, a_handshake_that_hangs_is_given_up)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char endpoint[64];

    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0);
    cr_assert(listen(fd, 8) == 0 && getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    (void)snprintf(endpoint, sizeof endpoint, "https://127.0.0.1:%d",
                   ntohs(at.sin_port));
    config.endpoint = endpoint;
    open_afresh();
    int64_t begin_ms = wait_now_ms();
    struct dest_result r = deliver(BODY);
    cr_expect(not(r.outcome.done));
    cr_expect(eq(int, r.outcome.class, RETRY_TRANSIENT), "%s", r.outcome.error);
    cr_expect(wait_now_ms() - begin_ms < 5000);
    (void)close(fd);
}

Test(dest_s3_damage, a_store_that_knows_no_100_continue_gets_the_body)
{
    static const struct s3_fault faults[] = {
        {.kind = S3_FAULT_NO_CONTINUE}, {.kind = S3_FAULT_EARLY_STATUS, .status = 417}};
    enum { LARGE = 3 << 20 };
    char *data = calloc(1, LARGE);

    for (int i = 0; i < 2; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        struct job j = dest_job(key, data, LARGE);
        s3_faulty_push(s3, faults[i]);
        struct dest_result r = dest_run(&loop, dest, &j, dest_data(data, LARGE));
        if (!r.outcome.done) { /* the connection was gone before the 417 was read */
            cr_expect(eq(int, i, 1));
            cr_expect(eq(int, r.outcome.class, RETRY_TRANSIENT), "%s", r.outcome.error);
            outcome_release(&r.outcome);
            r = dest_run(&loop, dest, &j, dest_data(data, LARGE));
        }
        cr_expect(r.outcome.done, "%d: %s", i, r.outcome.error);
        outcome_release(&r.outcome);
        job_release(&j);
    }
    free(data);
}

/* --- answers that end too soon --- */

/* The answer to the count-th request of a run ends after so many bytes, with the connection.  True: it was cut. */
static bool run_cut(int request, int64_t bytes, struct dest_result *ret)
{
    struct job j = dest_job("a key", BODY, strlen(BODY));
    struct err e = ERR_INIT;
    int heads = s3_faulty_count(s3, "HEAD");

    cr_assert(job_set_key(&j, j.id.uuid.text, ID_UUID_LEN, &e) == ERR_OK, "%s", e.text);
    if (request == 1)
        s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_LOST_ANSWER});
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_CUT_ANSWER, .bytes = bytes});
    *ret = dest_run(&loop, dest, &j, dest_data(BODY, strlen(BODY)));
    job_release(&j);
    return request == 0 ? s3_faulty_count(s3, "HEAD") > heads : !ret->outcome.done;
}

enum { CUT_MIN = 100, CUT_MAX = 400 }; /* no answer is shorter, none longer */

Test(dest_s3_damage, an_answer_to_put_that_ends_anywhere_is_resolved)
{
    bool cut = true;
    int64_t n = 0;

    for (; cut && n < CUT_MAX; n++) {
        struct dest_result r;
        open_afresh(); /* a kept connection that breaks is tried again without a word */
        cut = run_cut(0, n, &r);
        cr_expect(r.outcome.done, "after %d: %s", (int)n, r.outcome.error);
        outcome_release(&r.outcome);
    }
    cr_expect(n > CUT_MIN && n < CUT_MAX, "%d", (int)n);
}

/* HEAD is all that is left then: the job is tried again, and no judgement is made from half of it. */
Test(dest_s3_damage, an_answer_to_head_that_ends_anywhere_says_nothing)
{
    bool cut = true;
    int64_t n = 0;

    for (; cut && n < CUT_MAX; n++) {
        struct dest_result r;
        open_afresh();
        cut = run_cut(1, n, &r);
        if (cut)
            cr_expect(eq(int, r.outcome.class, RETRY_TRANSIENT), "after %d: %s", (int)n,
                      r.outcome.error);
        outcome_release(&r.outcome);
    }
    cr_expect(n > CUT_MIN && n < CUT_MAX, "%d", (int)n);
}
