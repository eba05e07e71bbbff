/*
 * id: UUIDv7 as in RFC 9562, and job ids that route themselves; whatever is not exactly one is refused.
 */
#include "shared/id.h"

#include "shared/clock.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(id, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define UUID "0193c0de-7a1b-7c3d-9e4f-0123456789ab"

Test(id, the_example_of_rfc_9562_is_made_from_its_parts)
{
    /* Appendix A.6: 017F22E2-79B0-7CC3-98C4-DC0C0C07398F, whose rand_a 0xCC3 is 3267/4096 of a millisecond. */
    int64_t ms = INT64_C(0x017F22E279B0);
    int64_t ns = ms * 1000000 + (3267 * INT64_C(1000000) + 4095) / 4096;
    struct uuid id = id_format_uuid(ns, UINT64_C(0x18C4DC0C0C07398F));

    cr_expect(eq(str, id.text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"));
    cr_expect(eq(i64, id_uuid_ms(id.text), ms));
}

Test(id, the_version_and_variant_bits_are_set_whatever_the_random_bits)
{
    cr_expect(
        eq(str, id_format_uuid(0, 0).text, "00000000-0000-7000-8000-000000000000"));
    cr_expect(eq(str, id_format_uuid(0, UINT64_MAX).text,
                 "00000000-0000-7000-bfff-ffffffffffff"));
    cr_expect(eq(str, id_format_uuid(999999, 0).text,
                 "00000000-0000-7fff-8000-000000000000"));
    cr_expect(eq(str, id_format_uuid(1000000, 0).text,
                 "00000000-0001-7000-8000-000000000000"));
}

Test(id, ids_sort_by_their_time)
{
    struct uuid before = id_format_uuid(0, UINT64_MAX);

    for (int64_t ns = 245; ns < 3000000; ns += 245) {
        struct uuid now = id_format_uuid(ns, 0);
        cr_assert(lt(int, strcmp(before.text, now.text), 0), "%s %s", before.text,
                  now.text);
        before = id_format_uuid(ns, UINT64_MAX);
    }
}

Test(id, a_new_one_is_a_uuid_of_now_and_no_two_are_the_same)
{
    enum { MANY = 1000 };
    static struct uuid ids[MANY];
    int64_t from = clock_wall_ms();

    for (size_t i = 0; i < MANY; i++)
        ids[i] = id_new();
    int64_t to = clock_wall_ms();
    for (size_t i = 0; i < MANY; i++) {
        cr_expect(id_is_uuid(ids[i].text, strlen(ids[i].text)), "%s", ids[i].text);
        cr_expect(ge(i64, id_uuid_ms(ids[i].text), from));
        cr_expect(le(i64, id_uuid_ms(ids[i].text), to));
        for (size_t k = 0; k < i; k++)
            cr_assert(ne(str, ids[i].text + 19, ids[k].text + 19),
                      "random parts differ");
    }
}

Test(id, a_child_of_fork_has_random_numbers_of_its_own)
{
    struct uuid ours = id_new(), theirs;
    int ends[2];

    cr_assert(eq(int, pipe(ends), 0));
    pid_t child = fork();
    cr_assert(ge(int, child, 0));
    if (child == 0) {
        theirs = id_new();
        _exit(write(ends[1], &theirs, sizeof theirs) == (ssize_t)sizeof theirs ? 0 : 1);
    }
    ours = id_new();
    cr_assert(eq(sz, (size_t)read(ends[0], &theirs, sizeof theirs), sizeof theirs));
    cr_expect(eq(int, waitpid(child, NULL, 0), child));
    cr_expect(ne(str, ours.text + 19, theirs.text + 19));
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static struct uuid of_tick(const char *name, int64_t tick_ms)
{
    struct uuid id;
    struct err e = ERR_INIT;

    cr_assert(eq(int, id_of_tick(name, tick_ms, &id, &e), ERR_OK), "%s", e.text);
    return id;
}

Test(id, a_tick_has_one_id_which_is_a_uuid_of_its_time)
{
    /* printf 'nightly\0001763865000000' | sha256sum */
    struct uuid id = of_tick("nightly", 1763865000000);

    cr_expect(eq(str, id.text, "019aae8b-f840-7926-9a3f-1cc53703bd6c"));
    cr_expect(id_is_uuid(id.text, strlen(id.text)));
    cr_expect(eq(i64, id_uuid_ms(id.text), 1763865000000));
    cr_expect(eq(str, id.text, of_tick("nightly", 1763865000000).text));
}

Test(id, another_tick_or_name_has_another_id)
{
    struct uuid id = of_tick("a1", 1000);

    cr_expect(ne(str, id.text + 14, of_tick("a1", 2000).text + 14));
    cr_expect(ne(str, id.text, of_tick("b1", 1000).text));
    cr_expect(ne(str, of_tick("a", 11000).text + 14, of_tick("a1", 1000).text + 14),
              "where the name ends counts");
}

static const struct {
    const char *label, *text;
    bool want;
} queues[] = {
    {"one letter", "a", true},
    {"digit first", "0-_", true},
    {"32", "abcdefghijklmnopqrstuvwxyz012345", true},
    {"33", "abcdefghijklmnopqrstuvwxyz0123456", false},
    {"empty", "", false},
    {"dash first", "-a", false},
    {"underscore first", "_a", false},
    {"upper case", "Media", false},
    {"dot", "a.b", false},
    {"slash", "a/b", false},
    {"brace", "a}", false},
    {"blank", "a ", false},
    {"newline", "a\n", false},
    {"UTF-8", "\xc3\xbc", false},
};

Test(id, queue_names)
{
    for (size_t i = 0; i < COUNT(queues); i++)
        cr_expect(eq(int, id_is_queue(queues[i].text, strlen(queues[i].text)),
                     queues[i].want),
                  "%s", queues[i].label);
    cr_expect(not(id_is_queue("a\0b", 3)), "NUL");
    cr_expect(id_is_queue("a.b", 1), "only len bytes count");
}

static const struct {
    const char *label, *text;
    bool want;
} uuids[] = {
    {"version 7", UUID, true},
    {"variant b", "0193c0de-7a1b-7c3d-be4f-0123456789ab", true},
    {"version 4", "0193c0de-7a1b-4c3d-9e4f-0123456789ab", false},
    {"variant 7", "0193c0de-7a1b-7c3d-7e4f-0123456789ab", false},
    {"variant c", "0193c0de-7a1b-7c3d-ce4f-0123456789ab", false},
    {"upper case", "0193C0DE-7a1b-7c3d-9e4f-0123456789ab", false},
    {"not hex", "0193c0dg-7a1b-7c3d-9e4f-0123456789ab", false},
    {"no dashes", "0193c0de07a1b07c3d09e4f00123456789ab", false},
    {"dash moved", "0193c0d-e7a1b-7c3d-9e4f-0123456789ab", false},
    {"short", "0193c0de-7a1b-7c3d-9e4f-0123456789a", false},
    {"long", UUID "0", false},
    {"empty", "", false},
};

Test(id, uuids)
{
    for (size_t i = 0; i < COUNT(uuids); i++)
        cr_expect(
            eq(int, id_is_uuid(uuids[i].text, strlen(uuids[i].text)), uuids[i].want),
            "%s", uuids[i].label);
}

Test(id, a_job_id_is_parsed_and_written_back)
{
    static const char *const texts[] = {"media." UUID, "a." UUID,
                                        "abcdefghijklmnopqrstuvwxyz012345." UUID};

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct job_id id;
        char back[ID_JOB_MAX + 1];
        cr_assert(id_parse_job(texts[i], strlen(texts[i]), &id), "%s", texts[i]);
        cr_expect(eq(str, id.uuid.text, UUID));
        id_format_job(&id, back);
        cr_expect(eq(str, back, (char *)texts[i]));
    }
}

Test(id, what_is_not_a_job_id_is_refused_and_nothing_is_stored)
{
    static const char *const bad[] = {
        "",
        UUID,
        "." UUID,
        "media" UUID,
        "media/" UUID,
        "media." UUID " ",
        " media." UUID,
        "media.." UUID,
        "Media." UUID,
        "../x." UUID,
        "a.b." UUID,
        "abcdefghijklmnopqrstuvwxyz0123456." UUID,
        "media.0193c0de-7a1b-4c3d-9e4f-0123456789ab",
        "media.0193c0de-7a1b-7c3d-9e4f-0123456789a",
        "media." UUID "." UUID,
    };

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct job_id id = {"untouched", {"untouched"}};
        cr_expect(not(id_parse_job(bad[i], strlen(bad[i]), &id)), "%s", bad[i]);
        cr_expect(eq(str, id.queue, "untouched"), "%s", bad[i]);
        cr_expect(eq(str, id.uuid.text, "untouched"), "%s", bad[i]);
    }
    struct job_id id;
    cr_expect(not(id_parse_job("media." UUID, strlen("media." UUID) - 1, &id)));
}
