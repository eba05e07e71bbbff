#include "tests/chaos/procs.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/wait_until.h"

TestSuite(procs, .timeout = 60);

static struct procs_sample take(void)
{
    struct procs_sample s = {0};

    cr_assert(procs_take("me", getpid(), &s));
    return s;
}

static void *wait_for_byte(void *ctx)
{
    char byte;

    return read(*(int *)ctx, &byte, 1) == 1 ? ctx : NULL;
}

Test(procs, descriptors_and_threads_are_counted)
{
    struct procs_sample before = take();
    int ends[2];
    pthread_t thread;

    cr_assert(not(pipe2(ends, O_CLOEXEC)));
    cr_assert(not(pthread_create(&thread, NULL, wait_for_byte, &ends[0])));
    struct procs_sample after = take();
    cr_expect(eq(i64, after.descriptors, before.descriptors + 2));
    cr_expect(eq(i64, after.threads, before.threads + 1));
    cr_expect(before.rss_kib > 0);
    cr_expect(eq(str, after.name, "me"));
    cr_assert(eq(int, (int)write(ends[1], "x", 1), 1));
    cr_assert(not(pthread_join(thread, NULL)));
}

Test(procs, a_zombie_is_seen_and_is_no_process)
{
    struct procs_sample s;

    cr_expect(eq(i64, procs_own_zombies(), 0));
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    cr_assert(pid > 0);
    cr_assert(WAIT_UNTIL(procs_own_zombies() == 1, 5000));
    cr_expect(not(procs_take("child", pid, &s)));
    cr_expect(eq(i64, take().zombies, 1));
    cr_assert(eq(int, waitpid(pid, NULL, 0), pid));
    cr_expect(eq(i64, procs_own_zombies(), 0));
    cr_expect(not(procs_take("child", pid, &s)));
}

static const struct {
    const char *label;
    struct procs_sample after;
    bool settled;
} samples[] = {
    {"the same", {.descriptors = 10, .threads = 4, .rss_kib = 1000}, true},
    {"within the slack", {.descriptors = 12, .threads = 5, .rss_kib = 1100}, true},
    {"fewer", {.descriptors = 1, .threads = 1, .rss_kib = 1}, true},
    {"descriptors", {.descriptors = 13, .threads = 4, .rss_kib = 1000}, false},
    {"threads", {.descriptors = 10, .threads = 6, .rss_kib = 1000}, false},
    {"KiB resident", {.descriptors = 10, .threads = 4, .rss_kib = 1101}, false},
    {"zombies",
     {.descriptors = 10, .threads = 4, .rss_kib = 1000, .zombies = 1},
     false},
};

Test(procs, more_than_the_slack_is_told)
{
    struct procs_sample before = {.descriptors = 10, .threads = 4, .rss_kib = 1000};
    struct procs_slack slack = {2, 1, 50, 10};

    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        char text[128] = "";
        bool settled =
            procs_is_settled(&before, &samples[i].after, &slack, text, sizeof text);
        cr_expect(settled == samples[i].settled, "%s", samples[i].label);
        bool told = strstr(text, samples[i].label) != NULL;
        cr_expect(told == !samples[i].settled, "%s: %s", samples[i].label, text);
    }
}
