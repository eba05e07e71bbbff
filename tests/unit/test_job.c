/*
 * job: the state machine, and the setters against hostile text.
 */
#include "tests/support/job_sample.h"

#include <stdio.h>

TestSuite(job, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const char *const state_words[] = {"accepted", "waiting", "scheduled", "running",
                                          "done",     "dead",    "cancelled"};

/* --- States --- */

Test(job, states_are_words_and_words_are_states)
{
    enum job_state state = JOB_DEAD;

    for (size_t i = 0; i < COUNT(state_words); i++) {
        const char *word = job_state_name((enum job_state)i);
        cr_expect(eq(str, (char *)word, (char *)state_words[i]));
        cr_assert(job_state_parse(word, strlen(word), &state));
        cr_expect(eq(int, state, (int)i));
        cr_expect(not(job_state_parse(word, strlen(word) - 1, &state)), "%s cut", word);
    }
    cr_expect(not(job_state_parse("", 0, &state)));
    cr_expect(not(job_state_parse("Done", 4, &state)));
    cr_expect(not(job_state_parse("done\0", 5, &state)));
    cr_expect(eq(str, (char *)job_state_name((enum job_state)99), "unknown"));
}

Test(job, arrows_are_those_of_the_drawing_and_no_others)
{
    /* rows: from; columns: to, in the order of enum job_state */
    static const char *const matrix[] = {
        ".xx....", /* accepted -> waiting scheduled */
        "...x..x", /* waiting -> running cancelled */
        ".x....x", /* scheduled -> waiting cancelled */
        ".xx.xxx", /* running -> waiting scheduled done dead cancelled */
        ".......", /* done */
        ".x....x", /* dead -> waiting cancelled */
        ".......", /* cancelled */
    };

    for (size_t from = 0; from < COUNT(matrix); from++)
        for (size_t to = 0; to < COUNT(matrix); to++)
            cr_expect(eq(int,
                         job_state_can_follow((enum job_state)from, (enum job_state)to),
                         matrix[from][to] == 'x'),
                      "%s -> %s", state_words[from], state_words[to]);
    cr_expect(not(job_state_can_follow((enum job_state)7, JOB_WAITING)));
    cr_expect(not(job_state_can_follow(JOB_WAITING, (enum job_state)70)));
    for (size_t i = 0; i < COUNT(matrix); i++)
        cr_expect(eq(int, job_state_is_final((enum job_state)i), i >= JOB_DONE));
}

/* --- Names --- */

#define FFFD "\xef\xbf\xbd"
static const struct {
    const char *label, *in;
    size_t len;
    const char *want;
} names[] = {
    {"plain", "a.txt", 5, "a.txt"},
    {"unicode", "Grüße.txt", 11, "Grüße.txt"},
    {"path", "/etc/passwd", 11, "passwd"},
    {"up", "../../x", 7, "x"},
    {"only up", "..", 2, "file"},
    {"up behind a path", "a/..", 4, "file"},
    {"trailing slash", "a/", 2, "file"},
    {"dot", ".", 1, "file"},
    {"hidden stays", ".profile", 8, ".profile"},
    {"empty", "", 0, "file"},
    {"windows path", "C:\\dir\\b.doc", 12, "b.doc"},
    {"mixed path", "a\\b/c\\d", 7, "d"},
    {"nul", "a\0b.txt", 7, "a_b.txt"},
    {"nul and path", "x.png\0../y", 10, "y"},
    {"cr lf", "a\r\nSet-Cookie: b", 16, "a__Set-Cookie: b"},
    {"escape", "\x1b[2Jx", 5, "_[2Jx"},
    {"delete and c1", "a\x7f\xc2\x85z", 5, "a__z"},
    {"line separator", "a\xe2\x80\xa8z", 5, "a_z"},
    {"right to left override",
     "exe.\xe2\x80\xae"
     "fdp",
     10, "exe._fdp"},
    {"isolates", "\xe2\x81\xa6\xe2\x81\xa9", 6, "__"},
    {"arabic letter mark", "\xd8\x9cx", 3, "_x"},
    {"invalid byte", "a\xff.txt", 6, "a" FFFD ".txt"},
    {"overlong slash", "a\xc0\xaf.txt", 7, "a" FFFD FFFD ".txt"},
    {"overlong of three", "\xe0\x80\xaf", 3, FFFD FFFD FFFD},
    {"surrogate", "\xed\xa0\x80", 3, FFFD FFFD FFFD},
    {"past the last plane", "\xf4\x90\x80\x80", 4, FFFD FFFD FFFD FFFD},
    {"cut character", "a\xe2\x82", 3, "a" FFFD FFFD},
    {"four bytes", "\xf0\x9f\x98\x80.png", 8, "\xf0\x9f\x98\x80.png"},
};

Test(job, names_become_harmless_metadata)
{
    struct err e = ERR_INIT;
    struct job j = JOB_INIT;

    for (size_t i = 0; i < COUNT(names); i++) {
        cr_assert(not(job_set_name(&j, names[i].in, names[i].len, &e)));
        cr_expect(eq(str, j.name, (char *)names[i].want), "%s", names[i].label);
        /* what was cleaned stays as it is, and is what decoding takes */
        char *once = strdup(j.name);
        cr_assert(not(job_set_name(&j, once, strlen(once), &e)));
        cr_expect(eq(str, j.name, once), "%s, again", names[i].label);
        j.seen = 0;
        cr_expect(not(job_decode_field(&j, "name", once, strlen(once), &e)), "%s: %s",
                  names[i].label, e.text);
        free(once);
    }
    job_release(&j);
}

Test(job, long_names_are_cut_between_characters)
{
    struct err e = ERR_INIT;
    struct job j = JOB_INIT;
    char text[5120];

    memset(text, 'a', sizeof text);
    cr_assert(not(job_set_name(&j, text, sizeof text, &e)));
    cr_expect(eq(sz, strlen(j.name), JOB_NAME_MAX));
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xbc", 2); /* two bytes each: 254 fit */
    cr_assert(not(job_set_name(&j, text, sizeof text, &e)));
    cr_expect(eq(sz, strlen(j.name), 254));
    memset(text, 0xff, sizeof text); /* three bytes each for one */
    cr_assert(not(job_set_name(&j, text, sizeof text, &e)));
    cr_expect(eq(sz, strlen(j.name), 255));
    cr_expect(eq(str, j.name + 252, FFFD));
    cr_assert(not(job_set_name(&j, text, 84, &e)));
    cr_expect(eq(sz, strlen(j.name), 252));
    job_release(&j);
}

/* --- Keys --- */

Test(job, keys_are_relative_paths_of_plain_characters)
{
    static const char *const good[] = {
        "a", "a/b", "a b", "...", "a/...", ".a", "..a", "-", "A_z.9=+@,()!' -/x"};
    static const char *const bad[] = {
        "",     "/",    "/a",     "a/",   "a//b", ".",    "..",   "a/.",   "a/..",
        "../a", "./a",  "a/../b", "a\\b", "a\nb", "a%2f", "a?b",  "a#b",   "\xc3\xbc",
        "a\"b", "a<b>", "a&b",    "a;b",  "a:b",  "a*b",  "a\tb", "a\x7f", "a$b"};
    char key[JOB_KEY_MAX + 2];

    for (size_t i = 0; i < COUNT(good); i++)
        cr_expect(job_key_is_safe(good[i], strlen(good[i])), "%s", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        cr_expect(not(job_key_is_safe(bad[i], strlen(bad[i]))), "%s", bad[i]);
    cr_expect(not(job_key_is_safe("a\0b", 3)));
    memset(key, 'k', sizeof key);
    cr_expect(job_key_is_safe(key, 255));
    cr_expect(not(job_key_is_safe(key, 256)), "a segment over 255");
    for (size_t i = 200; i < sizeof key; i += 200)
        key[i] = '/';
    cr_expect(job_key_is_safe(key, JOB_KEY_MAX));
    cr_expect(not(job_key_is_safe(key, JOB_KEY_MAX + 1)));
    key[JOB_KEY_MAX - 1] = '/';
    cr_expect(not(job_key_is_safe(key, JOB_KEY_MAX)));
}

Test(job, refused_values_leave_the_old_ones)
{
    struct job j = full_job();
    struct err e = ERR_INIT;

    cr_expect(eq(int, job_set_key(&j, "../x", 4, &e), ERR_REJECT));
    cr_expect(eq(str, e.text, "job: key is not valid"));
    cr_expect(eq(str, j.key, "a/b c.pdf"));
    cr_expect(eq(int, job_set_type(&j, "text", 4, &e), ERR_REJECT));
    cr_expect(eq(str, e.text, "job: type is not valid"));
    cr_expect(eq(str, j.type, "text/plain; charset=\"utf-8\""));
    cr_expect(eq(int, job_set_key(&j, "y", 1, &e), ERR_OK));
    cr_expect(eq(str, j.key, "y"));
    job_release(&j);
}

Test(job, default_key_is_the_uuid_and_a_plain_extension)
{
    static const struct {
        const char *name, *extension;
    } rows[] = {{"a.txt", ".txt"},
                {"a.TXT", ".txt"},
                {"a", ""},
                {"a.", ""},
                {"a.tar.gz", ".gz"},
                {"a.123456789", ""},
                {"a.12345678", ".12345678"},
                {"a.t-t", ""},
                {"a.p df", ""},
                {".profile", ".profile"},
                {"ü.ü", ""}};
    struct job j = full_job();
    struct err e = ERR_INIT;
    char key[ID_UUID_LEN + 10], want[ID_UUID_LEN + 10];

    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_assert(not(job_set_name(&j, rows[i].name, strlen(rows[i].name), &e)));
        job_default_key(&j, key);
        snprintf(want, sizeof want, "%s%s", j.id.uuid.text, rows[i].extension);
        cr_expect(eq(str, key, want), "%s", rows[i].name);
        cr_expect(job_key_is_safe(key, strlen(key)));
    }
    free(j.name);
    j.name = NULL;
    job_default_key(&j, key);
    cr_expect(eq(str, key, j.id.uuid.text));
    job_release(&j);
}

/* --- Types and meta --- */

Test(job, types_are_media_types)
{
    static const char *const good[] = {"a/b",
                                       "image/svg+xml",
                                       "text/plain;charset=utf-8",
                                       "text/plain ; a=b; c=\"d \\\" e\"",
                                       "text/plain;",
                                       "multipart/form-data; boundary=----x",
                                       "a/b;;c=d"};
    static const char *const bad[] = {"",
                                      "a",
                                      "a/",
                                      "/b",
                                      "a/b/c",
                                      "a b/c",
                                      "a/b c",
                                      "a/b;c",
                                      "a/b;c=",
                                      "a/b;c=\"d",
                                      "a/b;c=\"d\\",
                                      "a/b\r\nx: y",
                                      "a/b;c=\"\r\n\"",
                                      "a/b;c=d e",
                                      "a/\xc3\xbc",
                                      "a/b;c=\"\xc3\xbc\"",
                                      "a/b,c/d",
                                      " a/b",
                                      "a/b;c=\"\x7f\""};
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    char text[300];

    for (size_t i = 0; i < COUNT(good); i++)
        cr_expect(not(job_set_type(&j, good[i], strlen(good[i]), &e)), "%s", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        cr_expect(eq(int, job_set_type(&j, bad[i], strlen(bad[i]), &e), ERR_REJECT),
                  "%s", bad[i]);
    memset(text, 'a', sizeof text);
    text[1] = '/';
    cr_expect(not(job_set_type(&j, text, 255, &e)));
    cr_expect(eq(int, job_set_type(&j, text, 256, &e), ERR_REJECT));
    cr_expect(eq(str, e.text, "job: type is longer than 255 bytes"));
    cr_expect(eq(int, job_set_type(&j, "a/b\0c", 5, &e), ERR_REJECT));
    job_release(&j);
}

Test(job, meta_has_limits_of_names_values_count_and_bytes)
{
    static const char *const bad[] = {"",    "A",   "-a",  "_a",
                                      "a b", "a.b", "a\n", "\xc3\xbc"};
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    char text[JOB_META_BYTES + 1];

    memset(text, 'v', sizeof text);
    for (size_t i = 0; i < COUNT(bad); i++)
        cr_expect(job_add_meta(&j, bad[i], strlen(bad[i]), "x", 1, &e) == ERR_REJECT,
                  "%s", bad[i]);
    cr_expect(eq(int, job_add_meta(&j, text, 65, "x", 1, &e), ERR_REJECT));
    cr_expect(eq(int, job_add_meta(&j, "a", 1, "x\r\ny", 4, &e), ERR_REJECT));
    cr_expect(eq(int, job_add_meta(&j, "a", 1, "x\0y", 3, &e), ERR_REJECT));
    cr_expect(eq(int, job_add_meta(&j, "a", 1, "\xc0\xaf", 2, &e), ERR_REJECT));
    cr_expect(eq(int, job_add_meta(&j, "a", 1, text, JOB_META_BYTES, &e), ERR_REJECT));
    cr_expect(eq(sz, j.meta_count, 0));
    cr_expect(not(job_add_meta(&j, "a", 1, text, JOB_META_BYTES - 1, &e)));
    cr_expect(eq(int, job_add_meta(&j, "b", 1, "", 0, &e), ERR_REJECT), "all used up");
    cr_expect(eq(int, job_add_meta(&j, "a", 1, "", 0, &e), ERR_REJECT));
    cr_expect(eq(str, e.text, "job: meta.a is given twice"));
    job_release(&j);
    for (char c = 'a'; c < 'a' + JOB_META_MAX; c++)
        cr_expect(not(job_add_meta(&j, &c, 1, "x", 1, &e)), "%s", e.text);
    cr_expect(eq(int, job_add_meta(&j, "zz", 2, "", 0, &e), ERR_REJECT));
    job_release(&j);
}

/* --- Copy --- */

Test(job, a_copy_shares_nothing)
{
    struct job a = full_job(), b = JOB_INIT;
    struct err e = ERR_INIT;

    a.worker = strdup("w");
    cr_assert(not(job_copy(&a, &b, &e)));
    expect_same(&a, &b);
    cr_expect(ne(ptr, a.key, b.key));
    cr_expect(ne(ptr, a.meta[0].value, b.meta[0].value));
    cr_expect(eq(str, b.worker, "w"));
    job_release(&a);
    job_release(&a);
    cr_expect(eq(str, b.key, "a/b c.pdf"));
    cr_expect(eq(i64, a.v, JOB_VERSION));
    job_release(&b);
}
