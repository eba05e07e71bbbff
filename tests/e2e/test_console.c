/* The console that deploy/up loads, on a whole system: what it steers, the programs follow. */
#include "tests/e2e/steps.h"
#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct system s;

static void up(void)
{
    system_up(&s, &(struct system_options){.conf = "[spool]\nreconcile_seconds = 1\n"});
}

static void down(void)
{
    system_down(&s);
}

TestSuite(console_e2e, .init = up, .fini = down, .timeout = 120);

static void says(const char *words, const char *want)
{
    char out[4096];

    system_redis(&s, out, sizeof out, words);
    cr_expect(strstr(out, want), "%s said: %s", words, out);
}

/* The job is cancelled in Redis; its bytes leave the spool by the responder's next look. */
Test(console_e2e, a_paused_queue_is_cancelled_from_and_goes_on)
{
    char path[256], cancelled[JOB_ID_SIZE], kept[JOB_ID_SIZE], words[256];

    says("FCALL_RO hoist_status 1 '{default}'", "queue      default\n");
    says("FCALL hoist_pause 1 '{default}'", "default is paused");
    system_make_file(&s, "f.bin", 100000, 1, path);
    upload_form(&s, path, "f.bin", cancelled);
    upload_form(&s, path, "f.bin", kept);
    cr_assert(WAIT_UNTIL(
        (system_redis(&s, words, sizeof words, "ZCARD 'hoist:{default}:ready'"),
         strcmp(words, "2") == 0),
        5000));
    (void)snprintf(words, sizeof words, "FCALL hoist_cancel 1 '{default}' %s",
                   cancelled);
    says(words, "  cancelled");
    system_wait_state(&s, cancelled, "cancelled", 5000);
    says("FCALL hoist_resume 1 '{default}'", "waiting: 1");
    system_wait_state(&s, kept, "done", 20000);
    assert_object_is(&s, kept, path);
    cr_assert(WAIT_UNTIL(system_count_files(&s, "spool/jobs") == 0, 10000));
    says("FCALL hoist_fsck 1 '{default}'", " 0 found\nnext: none");
}
