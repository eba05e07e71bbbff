/*
 * sigv4_sample: the key and the bucket of Amazon's worked examples (S3 API reference, "Authenticating Requests: Using the
 * Authorization Header"), which the tests of sigv4 begin from and change one thing of.
 */
#ifndef HOIST_TESTS_SUPPORT_SIGV4_SAMPLE_H
#define HOIST_TESTS_SUPPORT_SIGV4_SAMPLE_H

#include "shared/sigv4.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static inline struct sigv4_key doc_key(void)
{
    return (struct sigv4_key){.access_key = "AKIAIOSFODNN7EXAMPLE",
                              .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                              .region = "us-east-1",
                              .service = "s3"};
}

static inline struct sigv4_request doc_request(void)
{
    return (struct sigv4_request){.method = "GET",
                                  .host = "examplebucket.s3.amazonaws.com",
                                  .path = "/",
                                  .payload_hash = EMPTY_SHA256,
                                  .time_s = 1369353600}; /* 20130524T000000Z */
}

#endif
