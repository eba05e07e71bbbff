/*
 * s3_quirks: what a store's answers say of the store.
 */
#include "worker/s3/s3_quirks.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(s3_quirks, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct {
    int status;
    const char *code, *message;
    bool unsupported;
} answers[] = {
    {501, "", "", true},
    {400, "NotImplemented", "", true},
    {400, "InvalidArgument",
     "Unsupported header 'x-amz-checksum-sha256' received for this API call.", true},
    {400, "InvalidRequest", "Checksum algorithm is not supported", true},
    {400, "InvalidArgument", "Invalid Argument", false},
    {400, "InvalidDigest", "Unsupported header", false},
    {403, "InvalidArgument", "Unsupported header", false},
    {400, "", "Unsupported header", false},
    {200, "", "", false},
};

Test(s3_quirks, headers_that_a_store_does_not_know)
{
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct http_response r = {.status = answers[i].status};
        struct s3_error e = {.code = ""};

        memcpy(e.code, answers[i].code, strlen(answers[i].code) + 1);
        memcpy(e.message, answers[i].message, strlen(answers[i].message) + 1);
        cr_expect(eq(int, s3_quirks_unsupported(&r, &e), answers[i].unsupported),
                  "row %zu", i);
    }
}

static const struct {
    int status;
    const char *region;
    bool moved;
} regions[] = {
    {301, "eu-west-3", true},
    {307, "eu-west-3", true},
    {400, "eu-west-3", true},
    {200, "eu-west-3", false},
    {403, "eu-west-3", false},
    {404, "eu-west-3", false},
    {301, "", false},
    {301, "us-east-1", false},
    {301, "evil.example", false},
    {301, "eu/west", false},
    {301, "x@evil", false},
    {301, "EU", false},
    {301, "a123456789a123456789a123456789a123456789a123456789a123456789abc", true},
    {301, "a123456789a123456789a123456789a123456789a123456789a123456789abcd", false},
};

Test(s3_quirks, a_region_is_a_label_of_a_host_name_and_nothing_more)
{
    for (size_t i = 0; i < COUNT(regions); i++) {
        struct http_response r = {.status = regions[i].status};
        char ret[S3_REGION_SIZE] = "";

        memcpy(r.region, regions[i].region, strlen(regions[i].region) + 1);
        cr_expect(eq(int, s3_quirks_region(&r, "us-east-1", ret), regions[i].moved),
                  "%s", regions[i].region);
        cr_expect(eq(str, ret, (char *)(regions[i].moved ? regions[i].region : "")));
    }
}
