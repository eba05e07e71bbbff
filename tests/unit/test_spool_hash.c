/* What the digests of a body that passes say, and which of them are taken. */
#include "worker/source/spool_hash.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static char sha256[] =
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
static char crc32c[] = "9a71bb4c"; /* both of "hello" */
static char other_sha256[] =
    "0000000000000000000000000000000000000000000000000000000000000000";
static char other_crc32c[] = "00000000";

TestSuite(spool_hash, .timeout = 60);

/* Whether a body passes, in two pieces. */
static bool passes(struct spool_hash *h, const char *body)
{
    size_t len = strlen(body), half = len / 2;

    return spool_hash_pass(h, body, half, 0) &&
           spool_hash_pass(h, body + half, len - half, (int64_t)half);
}

Test(spool_hash, bytes_that_are_the_jobs_pass_and_others_do_not)
{
    struct job j = {.size = 5, .sha256 = sha256, .crc32c = crc32c};
    struct spool_hash h;

    spool_hash_init(&h, &j);
    cr_expect(passes(&h, "hello"));
    cr_expect(h.corrupt == NULL);
    cr_expect(not(passes(&h, "jello")));
    cr_expect(eq(str, (char *)h.corrupt, "SHA-256"));
    spool_hash_release(&h);
}

Test(spool_hash, the_sha256_is_left_to_who_compares_it)
{
    struct job j = {.size = 5, .sha256 = other_sha256, .crc32c = crc32c};
    struct spool_hash h;

    spool_hash_init(&h, &j);
    cr_expect(not(passes(&h, "hello")));
    h.sha256_is_checked = true;
    cr_expect(passes(&h, "hello"));
    cr_expect(not(passes(&h, "jello")));
    cr_expect(eq(str, (char *)h.corrupt, "CRC-32C"));
    spool_hash_release(&h);
}

Test(spool_hash, but_not_where_nothing_else_would_tell)
{
    struct job j = {.size = 5, .sha256 = other_sha256};
    struct spool_hash h;

    spool_hash_init(&h, &j);
    h.sha256_is_checked = true;
    cr_expect(not(passes(&h, "hello")));
    cr_expect(eq(str, (char *)h.corrupt, "SHA-256"));
    j.sha256 = sha256;
    cr_expect(passes(&h, "hello"));
    spool_hash_release(&h);
}

Test(spool_hash, a_body_that_is_sent_again_is_hashed_again)
{
    struct job j = {.size = 5, .sha256 = sha256, .crc32c = other_crc32c};
    struct spool_hash h;

    spool_hash_init(&h, &j);
    cr_expect(not(passes(&h, "hello")));
    cr_expect(eq(str, (char *)h.corrupt, "CRC-32C"));
    j.crc32c = crc32c;
    cr_expect(spool_hash_pass(&h, "hel", 3, 0));
    cr_expect(passes(&h, "hello"));
    spool_hash_release(&h);
}
