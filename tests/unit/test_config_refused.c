/*
 * config: every mistake is refused with the place and with what is allowed, and no secret is repeated.
 */
#include "shared/config.h"

#include "shared/cleanup.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(config_refused, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define S3(line) "[destination x]\naccess_key=AK\nsecret_key=hush\n" line "\n"

static const struct {
    const char *text;
    const char *start; /* of the error */
    const char *has;   /* somewhere in it */
} rows[] = {
    /* The form of the text. */
    {"dir=/x", "t.ini:1: 'dir' stands before", "[section]"},
    {"\n[spool]\ndir", "t.ini:3: 'dir' is not", "key = value"},
    {"[spool", "t.ini:1: expected [section]", "[section NAME]"},
    {"[spool] dir=/x", "t.ini:1: expected [section]", "[section NAME]"},
    {"[]", "t.ini:1: unknown section []", "[destination NAME]"},
    {"[spool]\n=/x", "t.ini:2: [spool] unknown key ''", "dir, durability"},
    {"[spool]\ndir =/" X64 X64 X64, "t.ini:2: the line has 198 bytes, at most 197",
     NULL},
    {"[spool]\ndir=/a\tb", "t.ini:2: [spool] dir: '/a b' is not", "an absolute path"},
    /* Sections. */
    {"[spoon]", "t.ini:1: unknown section [spoon]: allowed are [redis] [spool]", NULL},
    {"[spool x]", "t.ini:1: [spool] takes no name", "'x'"},
    {"[queue]", "t.ini:1: [queue ]: a name is 1 to 32", NULL},
    {"[queue Media]", "t.ini:1: [queue Media]: a name is 1 to 32 of a-z", NULL},
    {"[queue a b]", "t.ini:1: [queue a b]: a name", NULL},
    {"[queue " X64 X64 "]", "t.ini:1: [queue xxxx", "a name is 1 to 32"},
    {"[destination ../x]", "t.ini:1: [destination ../x]: a name", NULL},
    {"[queue a_b]\n[queue a-b]", "t.ini:2: [queue a-b]: '-' and '_'", "[queue a_b]"},
    {"[command x]\nargv=x", "t.ini:2: [command x] unknown key 'argv'", "run, time_lim"},
    {"[fetch x]", "t.ini:1: [fetch] takes no name", NULL},
    {"[fetch]\nallow=a b/", "t.ini:2: [fetch] allow: 'b/' is not HOST", "ADDRESS/BITS"},
    {"[fetch]\n\ndeny=1.2.3.4/33", "t.ini:3: [fetch] deny: '1.2.3.4/33' is not", NULL},
    {"[fetch]\nredirects_max=21", "t.ini:2: [fetch] redirects_max: ", "0 to 20"},
    {"[command x]\nrun=a\nhttp=maybe", "t.ini:3: [command x] http: ", "yes"},
    {"[authority]", "t.ini:1: unknown section [authority]", NULL},
    /* Keys and values. */
    {"[spool]\n\ndri=/x", "t.ini:3: [spool] unknown key 'dri'",
     "allowed are dir, durability, reconcile_seconds"},
    {"[http]\nx=1", "t.ini:2: [http] unknown key 'x'", "see --help"},
    {"[spool]\ndir=/a\n\n[spool]\ndir=/b", "t.ini:5: [spool] dir: was set in line 2",
     NULL},
    {"[queue a]\nto=default\nto=default", "t.ini:3: [queue a] to: was set in line 2",
     NULL},
    {"[spool]\ndurability=disc",
     "t.ini:2: [spool] durability: 'disc' is not one of disk, memory", NULL},
    {"[spool]\ndir=spool", "t.ini:2: [spool] dir: 'spool' is not an absolute path",
     NULL},
    {"[spool]\ndir=", "t.ini:2: [spool] dir: '' is not an absolute path", NULL},
    {"[queue a]\nkeep_done_seconds=0",
     "t.ini:2: [queue a] keep_done_seconds: '0' is not a duration from 1m to", NULL},
    {"[queue a]\nkeep_done_seconds=59", "t.ini:2: [queue a] keep_done_seconds: '59'",
     NULL},
    {"[http]\nthreads=0", "t.ini:2: [http] threads: '0' is not a number from 1 to 256",
     NULL},
    {"[http]\nthreads=257", "t.ini:2: [http] threads: '257' is not", "1 to 256"},
    {"[http]\nthreads=-1", "t.ini:2: [http] threads: '-1' is not", "1 to 256"},
    {"[http]\nthreads=4x", "t.ini:2: [http] threads: '4x' is not", "1 to 256"},
    {"[http]\nthreads=", "t.ini:2: [http] threads: '' is not", "1 to 256"},
    {"[http]\nthreads=0x4", "t.ini:2: [http] threads: '0x4' is not", "1 to 256"},
    {"[http]\nthreads=18446744073709551617", "t.ini:2: [http] threads: '18446", "256"},
    {"[http]\ncors_origins=*", "t.ini:2: [http] cors_origins: '*' is not http://HOST",
     "without a path"},
    {"[http]\ncors_origins=https://a.b,null", "t.ini:2: [http] cors_origins: 'null'",
     NULL},
    {"[http]\nhosts=a.example:80", "t.ini:2: [http] hosts: 'a.example:80' is not",
     "without a port"},
    {"[http]\nsocket_mode=0680", "t.ini:2: [http] socket_mode: '0680' is not",
     "an octal number from 0000 to 0777"},
    {"[http]\nsocket_mode=1777", "t.ini:2: [http] socket_mode: '1777' is not", "0777"},
    {"[http]\nmax_field_bytes=63", "t.ini:2: [http] max_field_bytes: '63' is not",
     "a size from 64 to 1M"},
    {"[http]\nmax_field_bytes=1G", "t.ini:2: [http] max_field_bytes: '1G'", "1M"},
    {"[http]\nmax_field_bytes=1KB", "t.ini:2: [http] max_field_bytes: '1KB'", "K, M"},
    {"[queue a]\nmax_bytes=9999999999T", "t.ini:2: [queue a] max_bytes: '9999", "5T"},
    {"[worker]\nlease_ms=999", "t.ini:2: [worker] lease_ms: '999' is not",
     "a duration from 1s to 1h, in ms or with ms, s, m, h or d"},
    {"[worker]\nlease_ms=10 s", "t.ini:2: [worker] lease_ms: '10 s' is not", "in ms"},
    {"[worker]\ndrain_seconds=1500ms", "t.ini:2: [worker] drain_seconds: '1500ms'",
     "in whole seconds"},
    {"[worker]\notlp_url=collector:4318", "t.ini:2: [worker] otlp_url: is not http://",
     "https://"},
    {"[worker]\notlp_header=no colon",
     "t.ini:2: [worker] otlp_header: is not \"Name:", "ASCII"},
    {"[worker]\nconcurrency=1025", "t.ini:2: [worker] concurrency: '1025'",
     "1 to 1024"},
    {"[worker]\nlog_level=verbose", "t.ini:2: [worker] log_level: 'verbose' is not",
     "one of debug, info, warn, error"},
    {"[destination default]\nchecksum=maybe",
     "t.ini:2: [destination default] checksum: 'maybe' is not one of no, sha256, "
     "crc32c",
     NULL},
    {"[destination default]\nconditional=maybe",
     "t.ini:2: [destination default] conditional: 'maybe' is not one of no, yes, probe",
     NULL},
    {"[spool]\nhigh_water=80\nlow_water=81",
     "t.ini:3: [spool] low_water: is more than high_water", NULL},
    {"[redis]\nlow_water=1", "t.ini:2: [redis] low_water: is more than high_water",
     NULL},
    {"[spool]\ndurability=yes",
     "t.ini:2: [spool] durability: 'yes' is not one of disk, memory", NULL},
    {"[queue a]\npriority=10", "t.ini:2: [queue a] priority: '10'", "0 to 9"},
    /* What belongs together. */
    {"[queue a]\nto=mars", "t.ini:2: [queue a] to: there is no [destination mars]",
     NULL},
    {"[queue a]\nto=", "t.ini:2: [queue a] to: names no destination", NULL},
    {"[queue a]\nto=default, mars",
     "t.ini:2: [queue a] to: there is no [destination mars]", NULL},
    {"[queue a]\nto=default, default",
     "t.ini:2: [queue a] to: 'default' stands there twice", NULL},
    {"[queue a]\nto=1 2 3 4 5 6 7 8 9",
     "t.ini:2: [queue a] to: more than 8 destinations", NULL},
    {"[destination h]\nurl=http://",
     "t.ini:2: [destination h] url: 'http://' is not http(s)://HOST[:PORT][/PATH]",
     NULL},
    {"[destination h]\nurl=http://u:p@h/", "t.ini:2: [destination h] url: ", NULL},
    {"[destination h]\nurl=http://h/?a=b",
     "t.ini:2: [destination h] url: ", "without user, query or fragment"},
    {"[destination h]\nurl=https://h/a/../b", "t.ini:2: [destination h] url: ", NULL},
    {"[destination h]\nurl=https://h/a%2", "t.ini:2: [destination h] url: ", NULL},
    {"[destination h]\nurl=https://h:0/a", "t.ini:2: [destination h] url: ", NULL},
    {"[destination h]\nurl=http://h/\nmethod=GET",
     "t.ini:3: [destination h] method: 'GET' is not one of PUT, POST", NULL},
    {"[destination h]\nurl=http://h/\nbearer_token=a b",
     "t.ini:3: [destination h] bearer_token: the value is not up to 8192", NULL},
    {"[destination h]\nurl=http://h/\nhmac_secret=a\nhmac_secret_file=/nowhere",
     "t.ini:4: [destination h] hmac_secret_file: hmac_secret is set, too", NULL},
    {"[destination c]\nurl=command:",
     "t.ini:2: [destination c] url: 'command:' does not name a command", NULL},
    {"[destination c]\nurl=command:x",
     "t.ini:2: [destination c] url: there is no [command x]", NULL},
    {"[queue a]\nretry_base=10s\nretry_cap=5s",
     "t.ini:3: [queue a] retry_cap: is less than retry_base", NULL},
    {"[queue a]\nretry_base=10m", "t.ini:1: [queue a] retry_cap: is less", NULL},
    {"[worker]\nqueues=default, x", "t.ini:2: [worker] queues: there is no [queue x]",
     NULL},
    {"[worker]\nqueues=default:0",
     "t.ini:2: [worker] queues: 'default' has a weight that is not a number from 1 to",
     "1000"},
    {"[worker]\nqueues=default:2, default:",
     "t.ini:2: [worker] queues: 'default' has a weight", "1000"},
    {"[worker]\nqueues=default:1001",
     "t.ini:2: [worker] queues: 'default' has a weight", "1000"},
    {"[worker]\nqueues=default:99999999999999999999",
     "t.ini:2: [worker] queues: 'default' has a weight", "1000"},
    {"[worker]\nqueues=default:5x", "t.ini:2: [worker] queues: 'default' has a weight",
     "1000"},
    {"[worker]\nqueues=x:5", "t.ini:2: [worker] queues: there is no [queue x]", NULL},
    {"[worker]\nqueues=,", "t.ini:2: [worker] queues: is empty", "*"},
    {"[worker]\nid=a b", "t.ini:2: [worker] id: 'a b' is not", "63"},
    {"[http]\nbody_dir=bodies", "t.ini:2: [http] body_dir: 'bodies'", "absolute"},
    {"[http]\nbody_dir=/a/", "t.ini:2: [http] body_dir: '/a/' ends with a '/'", NULL},
    {"[http]\nbody_user=a b", "t.ini:2: [http] body_user: 'a b'", "user"},
    {"[http]\nsocket_group=a b", "t.ini:2: [http] socket_group: 'a b'", "group"},
    {"[http]\nlisten=/" X64 X64, "t.ini:2: [http] listen: '/xxx", "107 bytes"},
    {"[http]\nlisten=127.0.0.1:9000", "t.ini:2: [http] listen: '127.0.0.1:9000' is not",
     "an absolute path"},
    {"[redis]\nurl=http://x", "t.ini:2: [redis] url: is not redis://", "unix:///path"},
    {"[redis]\nurl=redis://", "t.ini:2: [redis] url: is not", NULL},
    {"[redis]\nurl=redis://:hush@:1", "t.ini:2: [redis] url: is not", NULL},
    {"[redis]\nurl=unix://relative", "t.ini:2: [redis] url: is not", NULL},
    /* Destinations. */
    {"[destination x]\nregion=eu", "t.ini:1: [destination x] url: is needed",
     "file:///DIR, s3://BUCKET"},
    {"[destination x]\nurl=ftp://x", "t.ini:2: [destination x] url: 'ftp://x' is not",
     "file:///DIR, s3://BUCKET[/PREFIX], http(s)://HOST[/PATH] or command:NAME"},
    {"[destination x]\nurl=file://x/y",
     "t.ini:2: [destination x] url: 'file://x/y' is not", "absolute"},
    {"[destination x]\nurl=file://", "t.ini:2: [destination x] url: 'file://' is",
     NULL},
    {"[destination x]\nurl=s3://bucket\ncredentials=config",
     "t.ini:1: [destination x] access_key: is needed", "secret_key_file"},
    {"[destination x]\nurl=s3://bucket\naccess_key=AK",
     "t.ini:1: [destination x] secret_key: is needed", "go together"},
    {"[destination x]\nurl=s3://bucket\nsecret_key=hush",
     "t.ini:1: [destination x] access_key: is needed", "go together"},
    {"[destination x]\nurl=s3://bucket\ncredentials=vault",
     "t.ini:3: [destination x] credentials: 'vault' is not",
     "one of auto, config, environment, file, imds, container, web_identity"},
    {S3("url=s3://bucket\ncredentials=imds"),
     "t.ini:2: [destination x] access_key: goes with credentials = config or auto",
     NULL},
    {"[destination x]\nurl=s3://bucket\ncredentials=file\nsession_token=hush",
     "t.ini:4: [destination x] session_token: goes with", NULL},
    {"[destination x]\nurl=s3://bucket\nimds_endpoint=fd00:ec2::254",
     "t.ini:3: [destination x] imds_endpoint: 'fd00:ec2::254' is not", "http://HOST"},
    {"[destination x]\nurl=s3://bucket\nsts_endpoint=https://h/",
     "t.ini:3: [destination x] sts_endpoint: 'https://h/' is not", "https://HOST"},
    {"[destination x]\nurl=s3://bucket\ncredentials_file=creds",
     "t.ini:3: [destination x] credentials_file: 'creds' is not an absolute path",
     "credential:NAME"},
    {"[destination x]\nurl=s3://bucket\ncredentials_file=credential:keys",
     "t.ini:3: [destination x] credentials_file: CREDENTIALS_DIRECTORY is not set",
     "LoadCredential=keys"},
    {"[redis]\npassword_file=credential:../x",
     "t.ini:2: [redis] password_file: '../x' is not the name of a credential", NULL},
    {"[destination x]\nurl=file:///x\nca_file=credential:x",
     "t.ini:3: [destination x] ca_file: 'credential:x' is not an absolute path", NULL},
    {S3("url=s3://"), "t.ini:4: [destination x] url: the bucket '' is not 3 to 63",
     NULL},
    {S3("url=s3://ab"), "t.ini:4: [destination x] url: the bucket 'ab'", "a-z, 0-9"},
    {S3("url=s3://Bucket"), "t.ini:4: [destination x] url: the bucket 'Bucket'", NULL},
    {S3("url=s3://a_bucket"), "t.ini:4: [destination x] url: the bucket", NULL},
    {S3("url=s3://" X64), "t.ini:4: [destination x] url: the bucket 'xxx", NULL},
    {S3("url=s3://-ab"), "t.ini:4: [destination x] url: the bucket '-ab'", NULL},
    {S3("url=s3://ab."), "t.ini:4: [destination x] url: the bucket 'ab.'", NULL},
    {S3("url=s3://a..b"), "t.ini:4: [destination x] url: the bucket 'a..b'", NULL},
    {S3("url=s3://abc?x"), "t.ini:4: [destination x] url: the bucket 'abc?x'", NULL},
    {S3("url=s3://abc/../x"), "t.ini:4: [destination x] url: the prefix '../x'", NULL},
    {S3("url=s3://abc/a//b"), "t.ini:4: [destination x] url: the prefix 'a//b'", NULL},
    {S3("url=s3://abc/a/./b"), "t.ini:4: [destination x] url: the prefix", NULL},
    {S3("url=s3://abc/a%2fb"), "t.ini:4: [destination x] url: the prefix", "A-Z a-z"},
    {S3("url=s3://abc\nendpoint=s3.test"),
     "t.ini:5: [destination x] endpoint:", "http"},
    {S3("url=s3://abc\nendpoint=http://"), "t.ini:5: [destination x] endpoint:", NULL},
    {S3("url=s3://abc\nendpoint=http://h/"),
     "t.ini:5: [destination x] endpoint:", "path"},
    {S3("url=s3://abc\nendpoint=http://u@h"),
     "t.ini:5: [destination x] endpoint:", NULL},
    {S3("url=s3://abc\nendpoint=http://h:0"),
     "t.ini:5: [destination x] endpoint:", NULL},
    {S3("url=s3://abc\nendpoint=http://h:65536"), "t.ini:5: [destination x] end", NULL},
    {S3("url=s3://abc\nendpoint=http://[::1"),
     "t.ini:5: [destination x] endpoint:", NULL},
    {S3("url=s3://abc\nregion="), "t.ini:5: [destination x] region: '' is not", NULL},
    {S3("url=s3://abc\nregion=a/b"), "t.ini:5: [destination x] region: 'a/b'", NULL},
    {S3("url=s3://abc\nstyle=dns"), "t.ini:5: [destination x] style: 'dns' is not",
     "one of path, virtual, auto"},
    {"[destination x]\nurl=s3://abc\naccess_key=A/K\nsecret_key=s",
     "t.ini:3: [destination x] access_key: 'A/K'", NULL},
    {"[queue x]\nallow_types=image/png, pdf",
     "t.ini:2: [queue x] allow_types: 'image/png, pdf' is not a list of TYPE/SUBTYPE "
     "and "
     "TYPE/*, with commas between them",
     NULL},
    {"[destination x]\nurl=file:///x\nallow_types=*/*",
     "t.ini:3: [destination x] allow_types: '*/*' is not a list of TYPE/SUBTYPE and "
     "TYPE/*, "
     "with commas between them",
     NULL},
    {"[destination x]\nurl=file:///x\ncontent_type=text",
     "t.ini:3: [destination x] content_type: 'text' is not TYPE/SUBTYPE", NULL},
    {"[destination x]\nurl=file:///x\nca_file=pem",
     "t.ini:3: [destination x] ca_file: 'pem' is not an absolute path", NULL},
    /* Secrets. */
    {S3("url=s3://abc\nsecret_key_file=/x"),
     "t.ini:5: [destination x] secret_key_file: secret_key is set, too",
     "one of the two"},
    {"[redis]\npassword=hush\npassword_file=/x",
     "t.ini:3: [redis] password_file:", "too"},
    {"[redis]\npassword=hush ;hush", "t.ini:2: [redis] password: a ';' after a blank",
     "into a file"},
    {"[redis]\npassword=hu\tsh", "t.ini:2: [redis] password: the value is not text",
     NULL},
    {"[redis]\npassword_file=/does/not/exist",
     "t.ini:2: [redis] password_file: /does/not/exist: No such file", NULL},
    {"[redis]\npassword_file=/", "t.ini:2: [redis] password_file: /: is not a regular",
     NULL},
};

Test(config_refused, a_mistake_names_its_line)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config c;
        struct err e = ERR_INIT;
        const char *start = rows[i].start, *has = rows[i].has;
        config_init(&c);
        cr_assert(
            eq(int, config_parse(&c, "t.ini", rows[i].text, NULL, &e), ERR_CONFIG),
            "%s", rows[i].text);
        cr_expect(eq(int, strncmp(e.text, start, strlen(start)), 0), "%s\n  not: %s",
                  e.text, start);
        cr_expect(ne(ptr, strstr(e.text, has ? has : ""), NULL), "'%s' has no '%s'",
                  e.text, has ? has : "");
        cr_expect(eq(ptr, strstr(e.text, "hush"), NULL), "a secret is told: %s",
                  e.text);
        cr_expect(eq(sz, c.queue_count, 0), "nothing is stored");
    }
}

static const struct {
    const char *variable, *start;
} variables[] = {
    {"HOIST_SPOOL_DIR=x", "environment HOIST_SPOOL_DIR: 'x' is not an absolute path"},
    {"HOIST_QUEUE_DEFAULT_TO=x",
     "environment HOIST_QUEUE_DEFAULT_TO: there is no [destination x]"},
    {"HOIST_QUEUE_BIG_ONE_MAX_BYTES=x",
     "environment HOIST_QUEUE_BIG_ONE_MAX_BYTES: 'x' is not a size from 0 to 5T"},
    {"HOIST_DESTINATION_DEFAULT_URL=s3://x",
     "environment HOIST_DESTINATION_DEFAULT_URL: the bucket 'x' is not"},
    {"HOIST_REDIS_URL=hush", "environment HOIST_REDIS_URL: is not redis://"},
    {"HOIST_REDIS_PASSWORD_FILE=/does/not/exist",
     "environment HOIST_REDIS_PASSWORD_FILE: /does/not/exist: No such file"},
    {"HOIST_WORKER_LEASE_MS=1",
     "environment HOIST_WORKER_LEASE_MS: '1' is not a duration"},
    {"HOIST_DESTINATION_DEFAULT_SECRET_KEY=hush\n",
     "environment HOIST_DESTINATION_DEFAULT_SECRET_KEY: the value is not"},
};

Test(config_refused, a_mistake_in_the_environment_names_its_variable)
{
    for (size_t i = 0; i < COUNT(variables); i++) {
        struct config c;
        struct err e = ERR_INIT;
        char *env[] = {(char *)variables[i].variable, NULL};
        const char *start = variables[i].start;
        config_init(&c);
        cr_assert(eq(int, config_parse(&c, "t.ini", "[queue big-one]\n", env, &e),
                     ERR_CONFIG));
        cr_expect(eq(int, strncmp(e.text, start, strlen(start)), 0), "%s\n  not: %s",
                  e.text, start);
        cr_expect(eq(ptr, strstr(e.text, "hush"), NULL), "%s", e.text);
    }
}

Test(config_refused, a_key_without_its_secret_in_the_environment)
{
    struct config c;
    struct err e = ERR_INIT;
    char *env[] = {"HOIST_DESTINATION_DEFAULT_URL=s3://bucket",
                   "HOIST_DESTINATION_DEFAULT_ACCESS_KEY=AK", NULL};

    config_init(&c);
    cr_assert(eq(int, config_parse(&c, "t.ini", "", env, &e), ERR_CONFIG));
    cr_expect(
        ne(ptr, strstr(e.text, "[destination default] secret_key: is needed"), NULL),
        "%s", e.text);
}

Test(config_refused, more_sections_than_there_may_be)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(10000);
    CLEANUP(config_release) struct config c;
    struct err e = ERR_INIT;

    config_init(&c);
    for (int i = 0; i < CONFIG_QUEUES_MAX - 1; i++)
        buf_printf(&text, "[queue q%d]\n", i);
    cr_expect(eq(int, config_parse(&c, "t.ini", text.data, NULL, &e), ERR_OK), "%s",
              e.text);
    cr_expect(eq(sz, c.queue_count, CONFIG_QUEUES_MAX));
    buf_puts(&text, "[queue a]\n");
    cr_expect(eq(int, config_parse(&c, "t.ini", text.data, NULL, &e), ERR_CONFIG));
    cr_expect(ne(ptr, strstr(e.text, "at most 64 sections [queue NAME]"), NULL), "%s",
              e.text);
    buf_puts(&text, "[queue b]\n");
    cr_expect(eq(int, config_parse(&c, "t.ini", text.data, NULL, &e), ERR_CONFIG));
    cr_expect(ne(ptr, strstr(e.text, "t.ini:65: [queue b]: at most 64"), NULL), "%s",
              e.text);
}

static const struct {
    const char *text, *want;
    const char *env[2];
} spool_places[] = {
    {"[spool]\ndurability=disk\n\ndir=/x", "t.ini:4: [spool] dir: closed", {NULL}},
    {"\n[spool]\ndurability=disk", "t.ini:2: [spool] dir: closed", {NULL}},
    {"[http]", "t.ini: [spool] dir: closed", {NULL}},
    {"[spool]\ndir=/x",
     "environment HOIST_SPOOL_DIR: closed",
     {"HOIST_SPOOL_DIR=/y", NULL}},
};

Test(config_refused, a_spool_that_cannot_be_opened_is_blamed_on_its_setting)
{
    struct err e = ERR_INIT;

    for (size_t i = 0; i < COUNT(spool_places); i++) {
        CLEANUP(config_release) struct config c;
        config_init(&c);
        cr_assert(not(config_parse(&c, "t.ini", spool_places[i].text,
                                   (char *const *)spool_places[i].env, &e)),
                  "%s", e.text);
        (void)err_set(&e, ERR_CONFIG, "closed");
        cr_expect(eq(int, config_blame_spool(&c, &e), ERR_CONFIG));
        cr_expect(eq(str, e.text, (char *)spool_places[i].want));
    }
    struct config by_hand = {0};
    (void)err_set(&e, ERR_CONFIG, "closed");
    (void)config_blame_spool(&by_hand, &e);
    cr_expect(eq(str, e.text, "[spool] dir: closed"));
}
