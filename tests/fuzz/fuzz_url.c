/*
 * fuzz url: the first line is an address, the second what a Location might say, the third a list of allowed hosts.  What is
 * taken for an address holds nothing that another program could read otherwise; where a Location leads is one again; what
 * may be connected to is no metadata service.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/cleanup.h"
#include "shared/fetch_filter.h"
#include "shared/url.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void check_address(const char *text, const struct url *u)
{
    size_t len = strlen(u->host), name_len;

    must(len >= 1 && len <= URL_HOST_MAX && u->port >= 1 && u->port <= 65535);
    must(!strpbrk(u->host, "@/\\%?# "));
    must(u->target_len <= strlen(text) &&
         u->target + u->target_len == text + strlen(text));
    must(u->target_len == 0 || strchr("/?#", u->target[0]));
    const char *name = url_file_name(text, &name_len);
    must(!memchr(name, '/', name_len) && name + name_len <= text + strlen(text));
    must(url_shown_len(text) <= strlen(text));
}

static void check_rules(const struct fetch_rules *r, const struct url *u)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    struct err e = ERR_INIT;

    at.sin_addr.s_addr = htonl(0xa9fea9fe); /* 169.254.169.254 */
    must(fetch_check_address(r, u, (struct sockaddr *)&at, sizeof at, &e) ==
         ERR_REJECT);
    at.sin_addr.s_addr = htonl(0x7f000001);
    if (r->allow.count == 0)
        must(fetch_check_address(r, u, (struct sockaddr *)&at, sizeof at, &e) ==
             ERR_REJECT);
    if (fetch_check_url(r, u, &e) != ERR_OK)
        must(e.code == ERR_REJECT && strncmp(e.text, "not allowed: ", 13) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    CLEANUP(str_free) char *text = take_line(&at, end);
    CLEANUP(str_free) char *location = take_line(&at, end);
    CLEANUP(str_free) char *list = take_line(&at, end);
    CLEANUP(buf_release) struct buf to = BUF_INIT(URL_MAX);
    struct fetch_rules rules = {.only_allowed = false};
    struct err e = ERR_INIT;
    struct url u;

    if (fetch_list_parse(list, &rules.allow, &e) != ERR_OK)
        rules.allow.count = 0;
    if (url_parse(text, strlen(text), &u, &e) != ERR_OK) {
        must(e.code == ERR_REJECT && strncmp(e.text, "url: ", 5) == 0);
        return 0;
    }
    check_address(text, &u);
    check_rules(&rules, &u);
    if (url_resolve(text, location, &to, &e) == ERR_OK) {
        must(url_is_valid(to.data, to.len) && !strchr(to.data, '#'));
        must(url_parse(to.data, to.len, &u, &e) == ERR_OK);
        check_address(to.data, &u);
    }
    return 0;
}
