/* An object that goes to S3 in parts. */
#include "tests/integration/dest_s3_parts_harness.h"

#include <signal.h>

TestSuite(dest_s3_parts, .init = parts_up, .fini = parts_down, .timeout = 60);

Test(dest_s3_parts, object_is_made_of_parts_of_one_size_but_the_last)
{
    struct s3_faulty_object o;
    struct dest_result r = deliver_parts();

    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_assert(s3_faulty_object(s3, PATH, &o));
    cr_expect(eq(int, o.parts, PARTS));
    cr_expect(eq(i64, o.size, SIZE));
    cr_expect(eq(str, o.sha256, parts_job.sha256));
    cr_expect(eq(i64, r.outcome.sent, SIZE));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_CREATE), 1));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_PART), PARTS));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_COMPLETE), 1));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_HEAD), 0), "the answer is proof");
    cr_expect(eq(int, s3_faulty_unfinished(s3), 0));
    cr_expect(eq(int, journals(), 0));
    cr_expect(ne(ptr, strstr(r.outcome.etag, "-6\""), NULL));
    outcome_release(&r.outcome);
}

Test(dest_s3_parts, object_of_the_threshold_goes_as_a_whole)
{
    config.multipart_threshold = SIZE;
    struct dest_result r = deliver_parts();

    cr_expect(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_PUT), 1));
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_CREATE), 0));
    outcome_release(&r.outcome);
}
