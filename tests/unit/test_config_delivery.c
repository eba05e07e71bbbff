/*
 * config_delivery: destinations over HTTP, by a command, and several at once.
 */
#include "shared/config.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/cleanup.h"

TestSuite(config_delivery, .timeout = 60);

static void parse(struct config *c, const char *text, char *const *env)
{
    struct err e = ERR_INIT;

    config_init(c);
    cr_assert(config_parse(c, "t.ini", text, env, &e) == ERR_OK, "%s", e.text);
}

Test(config_delivery, what_follows_from_an_http_url)
{
    CLEANUP(config_release) struct config c;

    parse(&c,
          "[destination a]\nurl=https://h.example:8443/in/%41;v=1//\nmethod=POST\n"
          "bearer_token=a.b\nhmac_secret=c d\n[destination b]\nurl=http://[::1]\n",
          NULL);
    cr_expect(eq(int, c.destinations[0].scheme, CONFIG_HTTP));
    cr_expect(eq(str, c.destinations[0].base, "https://h.example:8443/in/%41;v=1"));
    cr_expect(eq(int, c.destinations[0].method, CONFIG_POST));
    cr_expect(eq(str, c.destinations[0].bearer_token, "a.b"));
    cr_expect(eq(str, c.destinations[0].hmac_secret, "c d"));
    cr_expect(eq(str, c.destinations[1].base, "http://[::1]"));
    cr_expect(eq(int, c.destinations[1].method, CONFIG_PUT));
}

Test(config_delivery, a_command_is_a_destination_too)
{
    CLEANUP(config_release) struct config c;

    parse(&c, "[destination a]\nurl=command:task\n[command task]\nrun=true\n", NULL);
    cr_expect(eq(int, c.destinations[0].scheme, CONFIG_COMMAND));
    cr_expect(eq(str, c.destinations[0].command, "task"));
}

Test(config_delivery, several_destinations_stand_in_one_form)
{
    CLEANUP(config_release) struct config c;

    parse(&c,
          "[queue q]\nto = b , default\n[destination b]\nurl=file:///b\n"
          "[command c]\nrun=true\n[schedule s]\nqueue=q\nevery=1h\nsource=command:c\n",
          NULL);
    cr_expect(eq(str, c.queues[0].to, "b,default"));
    cr_expect(eq(str, c.schedules[0].to, "b,default"));
}

Test(config_delivery, token_and_secret_are_shown_to_nobody)
{
    CLEANUP(config_release) struct config c;
    char *text = NULL;
    size_t len = 0;

    parse(&c,
          "[destination default]\nurl=http://h\nbearer_token=hush\nhmac_secret=hush\n",
          NULL);
    FILE *out = open_memstream(&text, &len);
    config_show(&c, out);
    (void)fclose(out);
    cr_expect(eq(ptr, strstr(text, "hush"), NULL));
    cr_expect(ne(ptr, strstr(text, "bearer_token = (set)\n"), NULL));
    cr_expect(ne(ptr, strstr(text, "hmac_secret = (set)\n"), NULL));
    free(text);
}
