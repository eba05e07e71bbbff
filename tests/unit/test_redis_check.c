/* redis_check: what INFO says, and which servers are refused. */
#include "shared/redis_check.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(redis_check, .timeout = 60);

static struct redis_facts facts(const char *info)
{
    struct redis_facts f;

    redis_facts_read(info, strlen(info), &f);
    return f;
}

Test(redis_check, version_memory_and_policy_are_read)
{
    struct redis_facts f =
        facts("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n\r\n"
              "# Memory\r\nused_memory:1\r\nmaxmemory:104857600\r\n"
              "maxmemory_human:100.00M\r\nmaxmemory_policy:volatile-lru\r\n");

    cr_expect(eq(int, f.major, 7));
    cr_expect(eq(int, f.minor, 0));
    cr_expect(eq(i64, f.maxmemory, 104857600));
    cr_expect(eq(str, f.policy, "volatile-lru"));
}

Test(redis_check, the_higher_of_two_versions_counts)
{
    static const struct {
        const char *info;
        int major, minor;
    } rows[] = {
        {"redis_version:10.3.0\r\n", 10, 3},
        {"redis_version:6.2.14", 6, 2},
        {"redis_version:7.2.4\r\nvalkey_version:8.1.0\r\n", 8, 1},
        {"valkey_version:8.1.0-rc1\r\nredis_version:7.2.4\r\n", 8, 1},
        {"no_redis_version:7.0.0\r\n", 0, 0},
        {"redis_version:7\r\n", 0, 0},
        {"redis_version:7.\r\n", 0, 0},
        {"redis_version:77777.1\r\n", 0, 0},
        {"redis_version:\r\n", 0, 0},
        {"redis_version", 0, 0},
        {"", 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct redis_facts f = facts(rows[i].info);
        cr_expect(eq(int, f.major, rows[i].major), "%s", rows[i].info);
        cr_expect(eq(int, f.minor, rows[i].minor), "%s", rows[i].info);
    }
}

Test(redis_check, what_is_no_value_is_not_told)
{
    static const char *const rows[] = {
        "",
        "maxmemory:x\r\nmaxmemory_policy:ALLKEYS-LRU\r\n",
        "maxmemory:1234567890123456789012\r\n",
        "maxmemory:-5\r\nmaxmemory_policy:\x1b[2J\r\n",
        "maxmemory:12 \r\nmaxmemory_policy:"
        "allkeys-"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct redis_facts f = facts(rows[i]);
        struct err e = ERR_INIT;
        cr_expect(eq(i64, f.maxmemory, -1), "%s", rows[i]);
        cr_expect(eq(str, f.policy, ""), "%s", rows[i]);
        cr_expect(eq(int, redis_check(&f, &e), ERR_OK));
    }
}

static const struct {
    const char *info;
    bool fit, warns;
    const char *says[3];
} servers[] = {
    {"redis_version:7.0.15\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n",
     true,
     false,
     {NULL}},
    {"redis_version:6.2.0\r\nmaxmemory:1\r\nmaxmemory_policy:noeviction\r\n",
     true,
     false,
     {NULL}},
    {"redis_version:7.0.15\r\nmaxmemory:1\r\nmaxmemory_policy:volatile-ttl\r\n",
     true,
     true,
     {NULL}},
    {"redis_version:7.0.15\r\nmaxmemory:4096\r\nmaxmemory_policy:allkeys-lru\r\n",
     false,
     false,
     {"maxmemory-policy is allkeys-lru", "4096 bytes", "to noeviction"}},
    {"redis_version:7.0.15\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-random\r\n",
     false,
     false,
     {"maxmemory-policy is allkeys-random", "not set", "to noeviction"}},
    {"maxmemory_policy:allkeys-lfu\r\n", false, false, {"allkeys-lfu", NULL}},
    {"redis_version:6.0.16\r\nmaxmemory_policy:noeviction\r\n",
     false,
     false,
     {"version is 6.0", "Redis 6.2 or later"}},
    {"redis_version:5.0.7\r\n", false, false, {"version is 5.0", "Valkey"}},
    {"redis_version:7.2.4\r\nvalkey_version:8.0.1\r\n", true, false, {NULL}},
};

Test(redis_check, servers_that_evict_waiting_jobs_or_are_too_old_are_refused)
{
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        struct redis_facts f = facts(servers[i].info);
        struct err e = ERR_INIT;
        enum err_code want = servers[i].fit ? ERR_OK : ERR_CONFIG;
        cr_expect(eq(int, redis_check(&f, &e), want), "%s", servers[i].info);
        cr_expect(eq(int, redis_check_warns(&f), servers[i].warns), "%s",
                  servers[i].info);
        for (size_t k = 0; k < 3 && servers[i].says[k]; k++)
            cr_expect(strstr(e.text, servers[i].says[k]) != NULL, "no '%s' in '%s'",
                      servers[i].says[k], e.text);
    }
}
