/*
 * convert: lists of converters, and the key of what they make; the fields of a job that tell of it.
 */
#include "shared/convert.h"

#include "shared/cleanup.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct config config;

static void up(void)
{
    struct err e = ERR_INIT;

    config_init(&config);
    cr_assert(config_parse(&config, "t",
                           "[converter a]\nrun=true\ntype=image/png\nextension=.png\n"
                           "[converter b]\nrun=true\n"
                           "[converter z]\nrun=true\nextension=.gz\n",
                           NULL, &e) == ERR_OK,
              "%s", e.text);
}

static void down(void)
{
    config_release(&config);
}

TestSuite(convert, .init = up, .fini = down, .timeout = 60);

static struct convert find(const char *list)
{
    struct convert c;
    struct err e = ERR_INIT;

    cr_assert(convert_find(&config, list, strlen(list), &c, &e) == ERR_OK, "%s",
              e.text);
    return c;
}

static struct job job_of(const char *uuid, const char *name, const char *convert)
{
    struct job j = JOB_INIT;

    memcpy(j.id.queue, "default", sizeof "default");
    memcpy(j.id.uuid.text, uuid, ID_UUID_LEN + 1);
    j.name = strdup(name);
    j.convert = convert ? strdup(convert) : NULL;
    return j;
}

#define UUID_A "0193c0de-7a1b-7c3d-9e4f-0123456789ab"
#define UUID_B "0193c0de-7a1b-7c3d-9e4f-0123456789ac"

Test(convert, a_list_is_found_in_its_order_and_what_the_last_one_says_counts)
{
    char names[JOB_CONVERT_TEXT_MAX + 1];
    struct convert c = find(" b,a , z");

    cr_assert(eq(sz, c.count, 3));
    cr_expect(eq(str, (char *)c.items[0]->name, "b"));
    cr_expect(eq(str, (char *)c.type, "image/png"), "z has none");
    cr_expect(eq(str, (char *)c.extension, ".gz"));
    convert_format(&c, names);
    cr_expect(eq(str, names, "b,a,z"));
    c = find("");
    convert_format(&c, names);
    cr_expect(eq(str, names, ""));
    cr_expect(eq(str, (char *)c.type, ""));
}

Test(convert, the_key_follows_from_the_job_and_is_no_other_ones)
{
    char key[CONVERT_KEY_SIZE], again[CONVERT_KEY_SIZE], other[CONVERT_KEY_SIZE];
    struct err e = ERR_INIT;
    CLEANUP(job_release) struct job a = job_of(UUID_A, "x.JPG", "a");
    CLEANUP(job_release) struct job b = job_of(UUID_B, "x.JPG", "a");
    CLEANUP(job_release) struct job c = job_of(UUID_A, "x.JPG", "b");

    cr_assert(convert_key(&a, ".png", key, &e) == ERR_OK);
    cr_assert(convert_key(&a, "", again, &e) == ERR_OK);
    cr_expect(eq(int, memcmp(key, again, ID_UUID_LEN), 0));
    cr_expect(eq(str, key + ID_UUID_LEN, ".png"));
    cr_expect(eq(str, again + ID_UUID_LEN, ".jpg"), "that of the name");
    cr_expect(eq(chr, key[14], '8'), "%s", key);
    cr_expect(ne(ptr, strchr("89ab", key[19]), NULL), "%s", key);
    cr_expect(job_key_is_safe(key, strlen(key)));
    cr_expect(ne(int, memcmp(key, UUID_A, ID_UUID_LEN), 0));
    cr_assert(convert_key(&b, ".png", other, &e) == ERR_OK);
    cr_expect(ne(str, key, other), "of another job");
    cr_assert(convert_key(&c, ".png", other, &e) == ERR_OK);
    cr_expect(ne(str, key, other), "of other converters");
}

static bool owns(struct job *j, const char *key)
{
    free(j->key);
    j->key = strdup(key);
    return convert_owns_key(j);
}

Test(convert, a_job_owns_its_uuid_and_the_key_of_its_converters_alone)
{
    char key[CONVERT_KEY_SIZE], below[CONVERT_KEY_SIZE + 8];
    struct err e = ERR_INIT;
    CLEANUP(job_release) struct job a = job_of(UUID_A, "x", "a");
    CLEANUP(job_release) struct job plain = job_of(UUID_A, "x", NULL);

    cr_assert(convert_key(&a, ".png", key, &e) == ERR_OK);
    cr_expect(not(convert_owns_key(&a)), "it has none");
    cr_expect(owns(&a, key));
    cr_expect(owns(&a, UUID_A ".png"));
    cr_expect(owns(&plain, UUID_A));
    cr_expect(not(owns(&plain, key)), "it has no converters");
    cr_expect(not(owns(&a, UUID_B ".png")));
    cr_expect(not(owns(&a, UUID_B "/" UUID_B)));
    cr_expect(owns(&a, "photos/" UUID_A), "a template's");
    (void)snprintf(below, sizeof below, "x/%s", key);
    cr_expect(owns(&a, below));
    cr_expect(not(owns(&plain, below)));
    cr_expect(not(owns(&a, "x")));
}

/* --- the fields of a job --- */

static enum err_code decode(struct job *j, const char *name, const char *value)
{
    struct err e = ERR_INIT;

    return job_decode_field(j, name, value, strlen(value), &e);
}

Test(convert, a_record_takes_names_and_nothing_else)
{
    static const char *const bad[] = {"a,", ",a", "a,,b", "A", "a b", "a/b", ","};
    char long_name[JOB_CONVERT_TEXT_MAX + 2];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CLEANUP(job_release) struct job j = JOB_INIT;
        cr_expect(eq(int, decode(&j, "convert", bad[i]), ERR_REJECT), "%s", bad[i]);
    }
    CLEANUP(job_release) struct job j = JOB_INIT;
    cr_expect(eq(int, decode(&j, "convert", "a,b-c,d_e"), ERR_OK));
    cr_expect(eq(str, j.convert, "a,b-c,d_e"));
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    CLEANUP(job_release) struct job k = JOB_INIT;
    cr_expect(eq(int, decode(&k, "convert", long_name), ERR_REJECT));
    cr_expect(eq(int, decode(&k, "out_sha256", "xyz"), ERR_REJECT));
    cr_expect(eq(int, decode(&k, "sandbox", "landlock,seccomp"), ERR_OK));
}

Test(convert, what_came_out_is_told_as_the_result_and_the_upload_stays_what_it_was)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT(4096);
    char sum[65];
    struct err e = ERR_INIT;

    memset(sum, 'a', 64);
    sum[64] = '\0';
    memcpy(j.id.queue, "default", sizeof "default");
    memcpy(j.id.uuid.text, UUID_A, sizeof j.id.uuid.text);
    cr_assert(decode(&j, "state", "done") == ERR_OK);
    cr_assert(decode(&j, "bytes", "10") == ERR_OK);
    cr_assert(decode(&j, "sent", "5") == ERR_OK);
    cr_assert(decode(&j, "convert", "a") == ERR_OK);
    cr_assert(decode(&j, "out_bytes", "77") == ERR_OK);
    cr_assert(decode(&j, "out_sha256", sum) == ERR_OK);
    cr_assert(decode(&j, "sandbox", "none") == ERR_OK);
    cr_assert(decode(&j, "url", "file:///x") == ERR_OK);
    cr_assert(job_decode_rest(&j, &e) == ERR_OK);
    cr_expect(eq(i64, j.sent, 77), "more than the upload had, and no error");
    cr_assert(job_add_status(&b, &j));
    cr_expect(ne(ptr, strstr(b.data, "\"size\":10,"), NULL), "%s", b.data);
    cr_expect(ne(ptr, strstr(b.data, "\"convert\":\"a\""), NULL));
    cr_expect(ne(ptr, strstr(b.data, "\"sandbox\":\"none\""), NULL));
    cr_expect(
        ne(ptr,
           strstr(b.data,
                  "\"result\":{\"url\":\"file:///x\",\"size\":77,\"sha256\":\"aaa"),
           NULL),
        "%s", b.data);
}
