/*
 * breaker: three failures in a row, and no fewer.
 */
#include "fcgi-app/publish/breaker.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(breaker, .timeout = 60);

Test(breaker, it_opens_at_the_third_failure_in_a_row_and_stays_so)
{
    struct breaker b = {.failures = 0};
    for (int i = 0; i < 2; i++) {
        cr_expect(not(breaker_is_open(&b)), "%d", i);
        breaker_fail(&b);
    }
    cr_expect(not(breaker_is_open(&b)));
    for (int i = 0; i < 3; i++) {
        breaker_fail(&b);
        cr_expect(breaker_is_open(&b), "%d", i);
    }
    breaker_close(&b);
    cr_expect(not(breaker_is_open(&b)));
}

Test(breaker, a_success_starts_the_count_anew)
{
    struct breaker b = {.failures = 0};
    for (int i = 0; i < 10; i++) {
        breaker_fail(&b);
        breaker_fail(&b);
        breaker_close(&b);
    }
    breaker_fail(&b);
    breaker_fail(&b);
    cr_expect(not(breaker_is_open(&b)));
    breaker_fail(&b);
    cr_expect(breaker_is_open(&b));
}
