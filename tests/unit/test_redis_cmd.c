#include "shared/redis_internal.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(redis_cmd, .timeout = 60);

static const struct redis_script script = {
    .name = "s",
    .body = "return 6",
    .sha1 = "6666666666666666666666666666666666666666",
    .body_7 = "#!lua\nreturn 7",
    .sha1_7 = "7777777777777777777777777777777777777777",
};

static void expect_wire(const struct redis_cmd *c, bool is_7, const char *want,
                        size_t len)
{
    struct buf out = BUF_INIT(4096);

    cr_assert(redis_cmd_encode(c, is_7, &out));
    cr_expect(out.len == len && memcmp(out.data, want, len) == 0, "got %s", out.data);
    buf_release(&out);
}

#define EXPECT_WIRE(c, is_7, want) expect_wire((c), (is_7), (want), sizeof(want) - 1)

Test(redis_cmd, arguments_are_bytes)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    redis_cmd_begin(&c, "SET");
    redis_cmd_add(&c, "k\0\r\n", 4);
    redis_cmd_add_str(&c, "");
    redis_cmd_add_int(&c, INT64_MIN);
    redis_cmd_add_format(&c, "%s:%d", "x", 7);
    EXPECT_WIRE(
        &c, false,
        "*5\r\n$3\r\nSET\r\n$4\r\nk\0\r\n\r\n$0\r\n\r\n$20\r\n-9223372036854775808\r\n"
        "$3\r\nx:7\r\n");
    redis_cmd_release(&c);
}

Test(redis_cmd, a_script_goes_by_the_hash_that_suits_the_server)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    redis_cmd_begin_script(&c, &script, 1);
    redis_cmd_add_str(&c, "k");
    EXPECT_WIRE(
        &c, false,
        "*4\r\n$7\r\nEVALSHA\r\n$40\r\n6666666666666666666666666666666666666666\r\n"
        "$1\r\n1\r\n$1\r\nk\r\n");
    EXPECT_WIRE(
        &c, true,
        "*4\r\n$7\r\nEVALSHA\r\n$40\r\n7777777777777777777777777777777777777777\r\n"
        "$1\r\n1\r\n$1\r\nk\r\n");
    redis_cmd_load(&c, &script, true);
    EXPECT_WIRE(&c, true,
                "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$14\r\n#!lua\nreturn 7\r\n");
    redis_cmd_release(&c);
}

Test(redis_cmd, begin_and_clear_start_anew)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    redis_cmd_begin_script(&c, &script, 9);
    redis_cmd_begin(&c, "PING");
    EXPECT_WIRE(&c, true, "*1\r\n$4\r\nPING\r\n");
    struct buf out = BUF_INIT(64);
    redis_cmd_clear(&c);
    cr_expect_not(redis_cmd_encode(&c, true, &out), "an empty command is none");
    redis_cmd_release(&c);
    redis_cmd_release(&c);
}

Test(redis_cmd, too_many_bytes_fail_the_whole_command)
{
    struct redis_cmd c, copy;
    struct buf out = BUF_INIT(REDIS_CMD_BYTES_MAX * 2);
    char *big = calloc(1, REDIS_CMD_BYTES_MAX);

    redis_cmd_init(&c);
    redis_cmd_begin(&c, "SET");
    redis_cmd_add(&c, big, REDIS_CMD_BYTES_MAX - 3);
    cr_expect_not(c.failed);
    cr_expect(redis_cmd_encode(&c, true, &out));
    redis_cmd_add_str(&c, "x");
    cr_expect(c.failed);
    redis_cmd_add_str(&c, "");
    cr_expect(c.failed && c.count == 2);
    cr_expect_not(redis_cmd_encode(&c, true, &out));
    cr_expect_not(redis_cmd_copy(&c, &copy));
    redis_cmd_clear(&c);
    redis_cmd_begin(&c, "PING");
    cr_expect_not(c.failed);
    redis_cmd_release(&c);
    buf_release(&out);
    free(big);
}

Test(redis_cmd, too_many_arguments_fail_the_whole_command)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    redis_cmd_begin(&c, "DEL");
    for (int i = 1; i < REDIS_CMD_ARGS_MAX; i++)
        redis_cmd_add_int(&c, i);
    cr_expect_not(c.failed);
    cr_expect(c.count == REDIS_CMD_ARGS_MAX);
    redis_cmd_add_int(&c, 0);
    cr_expect(c.failed);
    redis_cmd_release(&c);
}

Test(redis_cmd, a_copy_is_the_same_command)
{
    struct redis_cmd c, copy;

    redis_cmd_init(&c);
    redis_cmd_begin_script(&c, &script, 0);
    redis_cmd_add(&c, "a\0b", 3);
    cr_assert(redis_cmd_copy(&c, &copy));
    redis_cmd_release(&c);
    EXPECT_WIRE(
        &copy, true,
        "*4\r\n$7\r\nEVALSHA\r\n$40\r\n7777777777777777777777777777777777777777\r\n"
        "$1\r\n0\r\n$3\r\na\0b\r\n");
    redis_cmd_release(&copy);
}

Test(redis_cmd, arguments_of_another_command_are_appended_within_the_limits)
{
    struct redis_cmd c, other;
    char *big = calloc(1, REDIS_CMD_BYTES_MAX);

    redis_cmd_init(&c);
    redis_cmd_init(&other);
    redis_cmd_begin(&c, "SET");
    redis_cmd_append(&c, &other);
    redis_cmd_add(&other, "a\0b", 3);
    redis_cmd_add_parts(&other, (const char *const[]){"x:", "", "12345678", NULL});
    redis_cmd_append(&c, &other);
    EXPECT_WIRE(&c, true, "*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$10\r\nx:12345678\r\n");
    redis_cmd_add(&c, big, REDIS_CMD_BYTES_MAX - 3 - 13);
    cr_expect_not(c.failed);
    redis_cmd_append(&c, &other);
    cr_expect(c.failed && c.count == 4, "more bytes than a command may have");

    redis_cmd_begin(&c, "DEL");
    for (int i = 2; i < REDIS_CMD_ARGS_MAX; i++)
        redis_cmd_add_int(&c, i);
    redis_cmd_append(&c, &other);
    cr_expect(c.failed, "more arguments");
    redis_cmd_begin(&c, "SET");
    redis_cmd_add(&other, big, REDIS_CMD_BYTES_MAX);
    cr_expect(other.failed);
    redis_cmd_append(&c, &other);
    cr_expect(c.failed, "one that has failed");
    redis_cmd_release(&c);
    redis_cmd_release(&other);
    free(big);
}

Test(redis_cmd, a_formatted_argument_may_be_long)
{
    struct redis_cmd c;
    struct buf out = BUF_INIT(1024);
    char text[401], want[450];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    redis_cmd_init(&c);
    redis_cmd_begin(&c, "ECHO");
    redis_cmd_add_format(&c, "%s:%d", text, 7);
    cr_assert(redis_cmd_encode(&c, true, &out));
    (void)snprintf(want, sizeof want, "*2\r\n$4\r\nECHO\r\n$402\r\n%s:7\r\n", text);
    cr_expect_str_eq(out.data, want);
    redis_cmd_release(&c);
    buf_release(&out);
}

/* --- Values --- */

Test(redis_cmd, accessors_never_crash_on_another_type)
{
    struct redis_value number = {.type = REDIS_INTEGER, .integer = -5};
    struct redis_value text = {
        .type = REDIS_STRING, .text = (char[]){"a\0b"}, .len = 3};
    struct redis_value *items[] = {&number, NULL, &text};
    struct redis_value array = {.type = REDIS_ARRAY, .items = items, .count = 3};
    size_t len = 9;

    cr_expect(redis_value_type(NULL) == REDIS_NIL && redis_value_int(NULL) == 0);
    cr_expect(*redis_value_str(NULL, &len) == '\0' && len == 0);
    cr_expect(redis_value_len(NULL) == 0 && !redis_value_at(NULL, 0));
    cr_expect(redis_value_int(&number) == -5 &&
              *redis_value_str(&number, NULL) == '\0');
    cr_expect(redis_value_len(&number) == 0 && !redis_value_at(&number, 0));
    cr_expect(memcmp(redis_value_str(&text, &len), "a\0b", 4) == 0 && len == 3);
    cr_expect(redis_value_int(&text) == 0);
    cr_expect(redis_value_len(&array) == 3 && redis_value_int(&array) == 0);
    cr_expect(redis_value_at(&array, 0) == &number && !redis_value_at(&array, 1));
    cr_expect(!redis_value_at(&array, 3) && !redis_value_at(&array, SIZE_MAX));
}

Test(redis_cmd, only_whole_decimal_numbers_are_numbers)
{
    static const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        {"0", 0},
        {"42", 42},
        {"-42", -42},
        {"", 0},
        {"-", 0},
        {"4 ", 0},
        {"+4", 0},
        {"1e3", 0},
        {"0x10", 0},
        {"4.0", 0},
        {"999999999999999999", 999999999999999999},
        {"9999999999999999999", 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[32] = {0};
        memcpy(text, rows[i].text, strlen(rows[i].text));
        struct redis_value v = {
            .type = REDIS_STRING, .text = text, .len = strlen(text)};
        cr_expect(redis_value_int(&v) == rows[i].want, "%s", text);
    }
}

Test(redis_cmd, errors_are_classed_by_what_the_caller_does_next)
{
    static const struct {
        const char *text;
        enum err_code want;
    } rows[] = {
        {"LOADING Redis is loading the dataset in memory", ERR_RETRY},
        {"BUSY Redis is busy running a script.", ERR_RETRY},
        {"READONLY You can't write against a read only replica.", ERR_RETRY},
        {"MASTERDOWN Link with MASTER is down", ERR_RETRY},
        {"CLUSTERDOWN The cluster is down", ERR_RETRY},
        {"MOVED 1234 127.0.0.1:6381", ERR_RETRY},
        {"ASK 1234 127.0.0.1:6381", ERR_RETRY},
        {"TRYAGAIN Multiple keys request during rehashing of slot", ERR_RETRY},
        {"UNBLOCKED force unblock from blocking operation", ERR_RETRY},
        {"OOM command not allowed when used memory > 'maxmemory'.", ERR_RETRY},
        {"MISCONF Redis is configured to save RDB snapshots", ERR_RETRY},
        {"NOREPLICAS Not enough good replicas to write.", ERR_RETRY},
        {"NOSCRIPT No matching script.", ERR_RETRY},
        {"ERR Error running script (call to f_77): @user_script: 7: -OOM command not "
         "allowed",
         ERR_RETRY},
        {"ERR Error running script (call to f_77): @user_script: 7: nil value",
         ERR_REJECT},
        {"NOAUTH Authentication required.", ERR_CONFIG},
        {"WRONGPASS invalid username-password pair or user is disabled.", ERR_CONFIG},
        {"NOPERM this user has no permissions", ERR_CONFIG},
        {"WRONGTYPE Operation against a key holding the wrong kind of value",
         ERR_REJECT},
        {"ERR unknown command", ERR_REJECT},
        {"BUSYGROUP Consumer Group name already exists", ERR_REJECT},
        {"", ERR_REJECT},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err e = ERR_INIT;
        struct redis_value v = {.type = REDIS_ERROR,
                                .text = (char *)(uintptr_t)rows[i].text,
                                .len = strlen(rows[i].text)};
        cr_expect(redis_value_error(&v, &e) == rows[i].want, "%s", rows[i].text);
        cr_expect(strstr(e.text, rows[i].text), "%s", e.text);
    }
    struct err e = ERR_INIT;
    cr_expect(redis_value_error(NULL, &e) == ERR_OK && e.text[0] == '\0');
}

Test(redis_cmd, errors_of_a_fail_over_or_a_log_out_close_the_connection)
{
    static const struct {
        const char *text;
        bool closes;
    } rows[] = {
        {"READONLY You can't write against a read only replica.", true},
        {"MASTERDOWN Link with MASTER is down", true},
        {"UNBLOCKED force unblock from blocking operation", true},
        {"MOVED 1234 127.0.0.1:6381", true},
        {"NOAUTH Authentication required.", true},
        {"WRONGPASS invalid username-password pair", true},
        {"ERR Error running script (call to f_77): @user_script: 7: -READONLY You",
         true},
        {"LOADING Redis is loading the dataset in memory", false},
        {"BUSY Redis is busy running a script.", false},
        {"OOM command not allowed", false},
        {"NOPERM this user has no permissions", false},
        {"ASK 1234 127.0.0.1:6381", false},
        {"READONLYX", false},
        {"", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct redis_value v = {.type = REDIS_ERROR,
                                .text = (char *)(uintptr_t)rows[i].text,
                                .len = strlen(rows[i].text)};
        cr_expect(redis_value_is_closing(&v) == rows[i].closes, "%s", rows[i].text);
        v.type = REDIS_STRING;
        cr_expect_not(redis_value_is_closing(&v), "a text is no error");
    }
    cr_expect_not(redis_value_is_closing(NULL));
}

Test(redis_cmd, info_fills_in_the_facts_and_may_be_barred)
{
    struct redis_facts f = REDIS_FACTS_INIT;
    struct err e = ERR_INIT;
    char info[] = "redis_version:7.0.1\r\n", old[] = "redis_version:6.0.1\r\n";
    char noperm[] = "NOPERM this user has no permissions to run the 'info' command";
    struct redis_value v = {.type = REDIS_STRING, .text = info, .len = strlen(info)};

    cr_expect(redis_handshake_reply(&v, &f, &e) == ERR_OK && f.major == 7);
    v = (struct redis_value){
        .type = REDIS_ERROR, .text = noperm, .len = strlen(noperm)};
    cr_expect(redis_handshake_reply(&v, &f, &e) == ERR_OK && f.major == 0);
    cr_expect(redis_handshake_reply(&v, NULL, &e) == ERR_CONFIG, "AUTH or SELECT");
    v = (struct redis_value){.type = REDIS_STRING, .text = old, .len = strlen(old)};
    cr_expect(redis_handshake_reply(&v, &f, &e) == ERR_CONFIG, "too old");
}
