/* Uploads that go through converters, in hoist-worker as it ships: what comes out, and what converters are given. */
#include "tests/integration/converter_rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/clock.h"
#include "shared/digest.h"
#include "tests/support/wait_until.h"

static struct worker_rig rig;

static void down(void)
{
    rig_down(&rig);
}

TestSuite(converter, .fini = down, .timeout = 120);

#define UPPER "[converter upper]\nrun = tr a-z A-Z\n"
#define REVERSE "[converter reverse]\nrun = rev\n"

/* --- what comes of it --- */

Test(converter, what_it_makes_is_the_object_and_the_upload_stays_what_it_was)
{
    char in[DIGEST_SHA256_HEX + 1], out[DIGEST_SHA256_HEX + 1];
    struct err e = ERR_INIT;

    rig_up(&rig, "[converter twice]\nrun = sh -c 'tee /dev/stderr; echo'\n");
    rig_start(&rig, "a");
    struct job_id id = converter_put(&rig, "hello", "twice");

    converter_expect(&rig, &id, "hello\n");
    cr_assert(digest_sha256_hex("hello", 5, in, &e) == ERR_OK);
    cr_assert(digest_sha256_hex("hello\n", 6, out, &e) == ERR_OK);
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "bytes"), "5"));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "sha256"), in));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "out_bytes"), "6"));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "out_sha256"), out));
    cr_expect(eq(i64, (int64_t)strlen(rig_field(&rig, &id, "error")), 0));
    cr_expect(rig_wait_unspooled(&rig, &id, 5000));
    cr_expect(WAIT_UNTIL(converter_processes_of(&id) == 0, 1000));
    cr_expect(eq(i64,
                 redis_fixture_ask_int(&rig.redis, "HGET", "hoist:{default}:stats",
                                       "bytes", NULL),
                 0));
}

Test(converter, several_are_a_pipe)
{
    rig_up(&rig, UPPER REVERSE);
    rig_start(&rig, "a");
    struct job_id id = converter_put(&rig, "abc\n", "upper,reverse");
    struct job_id many = converter_put(
        &rig, "abc\n", "reverse,upper,reverse,reverse,upper,reverse,upper,reverse");

    converter_expect(&rig, &id, "CBA\n");
    converter_expect(&rig, &many, "CBA\n");
}

Test(converter, megabytes_pass_through_in_both_directions)
{
    rig_up(&rig, "[converter pack]\nrun = gzip -n -c\n"
                 "[converter unpack]\nrun = gzip -d -c\n"
                 "[converter grow]\nrun = sh -c 'cat; head -c 30000000 /dev/zero'\n");
    rig_start(&rig, "a");
    struct job_id same =
        rig_put(&rig, &(struct rig_job){.size = 20000000, .convert = "pack,unpack"});
    struct job_id grown =
        rig_put(&rig, &(struct rig_job){.size = 1000, .convert = "grow"});

    cr_assert(rig_wait_state(&rig, &same, "done", 30000), "%s",
              rig_field(&rig, &same, "error"));
    char sum[80];
    (void)snprintf(sum, sizeof sum, "%s", rig_field(&rig, &same, "sha256"));
    cr_expect(eq(str, (char *)rig_field(&rig, &same, "out_sha256"), sum));
    cr_assert(rig_wait_state(&rig, &grown, "done", 30000));
    cr_expect(eq(str, (char *)rig_field(&rig, &grown, "out_bytes"), "30001000"));
}

Test(converter, one_that_does_not_read_all_is_fine_when_it_ends_well)
{
    rig_up(&rig, "[converter first]\nrun = head -c 3\n"
                 "[converter cat]\nrun = cat\n"
                 "[converter none]\nrun = echo constant\n");
    rig_start(&rig, "a");
    struct job_id one = rig_put(
        &rig, &(struct rig_job){.size = 3000000, .convert = "first", .key = "one"});
    struct job_id two = rig_put(
        &rig,
        &(struct rig_job){.size = 3000000, .convert = "cat,cat,first", .key = "two"});
    struct job_id none = converter_put(&rig, "x", "cat,none");

    cr_assert(rig_wait_state(&rig, &one, "done", 10000));
    cr_expect(eq(str, (char *)rig_field(&rig, &one, "out_bytes"), "3"));
    cr_assert(rig_wait_state(&rig, &two, "done", 10000));
    cr_expect(eq(str, (char *)rig_field(&rig, &two, "out_bytes"), "3"));
    converter_expect(&rig, &none, "constant\n");
}

/* A job whose bytes [command hello] writes. */
static struct job_id put_command(const char *convert)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    enum queue_answer answer;

    (void)snprintf(j.id.queue, sizeof j.id.queue, "default");
    j.id.uuid = id_new();
    j.created = clock_wall_ms();
    j.max_attempts = 1;
    j.source = strdup("command:hello");
    j.to = strdup("default");
    j.convert = strdup(convert);
    cr_assert(job_set_key(&j, j.id.uuid.text, ID_UUID_LEN, &e) == ERR_OK, "%s", e.text);
    cr_assert(queue_enqueue(rig.client, &j, &answer, &e) == ERR_OK, "%s", e.text);
    struct job_id id = j.id;
    job_release(&j);
    return id;
}

Test(converter, what_a_command_writes_goes_through_them_too)
{
    char in[DIGEST_SHA256_HEX + 1], out[DIGEST_SHA256_HEX + 1];
    struct err e = ERR_INIT;

    rig_up(&rig, UPPER REVERSE "[command hello]\nrun = echo hello\n");
    rig_start(&rig, "a");
    struct job_id id = put_command("upper,reverse");

    converter_expect(&rig, &id, "OLLEH\n");
    cr_assert(digest_sha256_hex("hello\n", 6, in, &e) == ERR_OK);
    cr_assert(digest_sha256_hex("OLLEH\n", 6, out, &e) == ERR_OK);
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "bytes"), "6"));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "sha256"), in));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "out_sha256"), out));
}

/* --- what it is given --- */

Test(converter, its_environment_is_the_jobs_and_nothing_else)
{
    char text[700];

    rig_up(&rig, "[converter env]\nrun = sh -c 'env | grep -v -e ^PWD= -e ^_= -e "
                 "^SHLVL= -e ^OLDPWD= | sort'\n");
    rig_start(&rig, "a");
    struct job_id id =
        rig_put(&rig, &(struct rig_job){.data = "x",
                                        .convert = "env",
                                        .type = "text/plain",
                                        .name = "Grüße.txt",
                                        .meta = {"who-am", "it's \"me\" $HOME",
                                                 "ld_preload", "/x.so"}});

    (void)snprintf(
        text, sizeof text,
        "HOIST_JOB_ID=default.%s\nHOIST_META_LD_PRELOAD=/x.so\n"
        "HOIST_META_WHO_AM=it's \"me\" $HOME\nHOIST_NAME=Grüße.txt\n"
        "HOIST_TYPE=text/plain\nHOME=/\nLANG=C.UTF-8\n"
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
        id.uuid.text);
    converter_expect(&rig, &id, text);
}

Test(converter, a_hostile_name_is_text_and_no_part_of_the_command)
{
    static const char *const names[] = {"-o",   "-rf",     "$(id)", "`id`",
                                        "a;id", "a|id >b", "%s%n",  "--help"};
    struct job_id ids[sizeof names / sizeof names[0]];
    char text[64];

    rig_up(&rig, "[converter name]\nrun = sh -c 'echo $# \"$HOIST_NAME\"'\n");
    rig_start(&rig, "a");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        ids[i] = rig_put(
            &rig, &(struct rig_job){.data = "x", .convert = "name", .name = names[i]});
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(text, sizeof text, "0 %s\n", names[i]);
        converter_expect(&rig, &ids[i], text);
    }
}

Test(converter, its_session_directory_signals_and_descriptors_are_its_own)
{
    rig_up(&rig,
           "[converter fds]\nrun = ls /proc/self/fd\n"
           "[converter cwd]\nrun = pwd\n"
           "[converter group]\nrun = awk '{ print ($1 == $5), ($1 == $6) }' "
           "/proc/self/stat\n"
           "[converter cat]\nrun = cat\n"
           "[converter signals]\nrun = grep -E 'Sig(Blk|Ign)' /proc/self/status\n");
    rig_start(&rig, "a");
    struct job_id fds = converter_put(&rig, "x", "fds"),
                  later = converter_put(&rig, "x", "cat,fds"),
                  cwd = converter_put(&rig, "x", "cwd"),
                  group = converter_put(&rig, "x", "group"),
                  signals = converter_put(&rig, "x", "signals");

    converter_expect(&rig, &fds, "0\n1\n2\n3\n"); /* 3 is that of ls */
    converter_expect(&rig, &later, "0\n1\n2\n3\n");
    converter_expect(&rig, &cwd, "/\n");
    converter_expect(&rig, &group, "1 1\n");
    converter_expect(&rig, &signals,
                     "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

/* --- again --- */

Test(converter, what_an_earlier_attempt_made_under_the_jobs_own_key_is_its_object)
{
    char path[512];

    rig_up(&rig, "[converter random]\nrun = head -c 100 /dev/urandom\n");
    struct job_id id = converter_put(&rig, "x", "random");
    (void)snprintf(path, sizeof path, "%s/%s", rig.objects.path, id.uuid.text);
    (void)mkdir(rig.objects.path, 0755);
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs("other bytes", f) >= 0 && fclose(f) == 0);
    rig_start(&rig, "a");

    converter_expect(&rig, &id, "other bytes");
}

Test(converter, under_a_key_that_was_chosen_other_bytes_are_somebody_elses)
{
    char path[512];

    rig_up(&rig, UPPER);
    (void)mkdir(rig.objects.path, 0755);
    static const char *const names[] = {"same", "other"};
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", rig.objects.path, names[i]);
        FILE *f = fopen(path, "w");
        cr_assert(f && fputs("ABC", f) >= 0 && fclose(f) == 0);
    }
    rig_start(&rig, "a");
    struct job_id same = rig_put(
        &rig, &(struct rig_job){.data = "abc", .convert = "upper", .key = "same"});
    struct job_id other = rig_put(
        &rig, &(struct rig_job){.data = "abd", .convert = "upper", .key = "other"});

    cr_expect(rig_wait_state(&rig, &same, "done", 10000));
    cr_expect(eq(i64, rig_number(&rig, &same, "out_bytes"), 3));
    converter_expect_dead(&rig, &other, "never", "key exists with other content");
}
