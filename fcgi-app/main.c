/* hoist-fcgi: the responder.  See server.h for what it does, listen.h for where its socket comes from, cgi.h for what it is
 * without one. */
#include "fcgi-app/upload/body_file.h"
#include "fcgi-app/fastcgi/cgi.h"
#include "fcgi-app/fastcgi/listen.h"
#include "fcgi-app/server.h"
#include "fcgi-app/auth/token.h"
#include "shared/cleanup.h"
#include "shared/config.h"
#include "shared/digest.h"
#include "shared/log.h"
#include "shared/spool.h"

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum what { WHAT_RUN, WHAT_CHECK, WHAT_SHOW, WHAT_TOKEN };

static void print_help(void)
{
    puts(
        "Usage: hoist-fcgi [--config FILE] [--check | --show-config | --new-token]\n"
        "Takes uploads from a web server by FastCGI, spools them and answers 202.\n\n"
        "  --config FILE  settings; without it those of $HOIST_CONFIG, else the\n"
        "                 defaults and the environment\n"
        "  --check        check the settings, open the spool, say what is wrong, exit\n"
        "  --show-config  print the settings in effect, secrets left out, exit\n"
        "  --new-token    print a new bearer token and its line for [auth NAME], exit\n"
        "  --help         this text and every setting\n"
        "  --version      print the version\n\n"
        "It listens on the socket systemd passes, on descriptor 0 if that listens\n"
        "(spawn-fcgi, mod_fcgid), or on the unix socket [http] listen.  Started as a\n"
        "CGI program it answers one request, with the settings of $HOIST_CONFIG, else\n"
        "of " CGI_CONFIG ".\n"
        "SIGTERM drains, a second one stops at once.  Exit status: 0 stopped as told,\n"
        "1 failed, 2 wrong usage.\n\nSettings:\n");
    config_help(stdout);
}

static enum err_code run(const struct config *config, struct err *e)
{
    struct spool *spool = NULL;
    struct listener listener = LISTENER_INIT;
    (void)mallopt(M_ARENA_MAX,
                  8); /* enough not to wait for each other; not one for each thread */
    log_set_level(config->http.log_level);
    enum err_code code = digest_setup(e);
    if (!code)
        code = spool_open_config(config, &spool, e);
    if (!code)
        code = server_check(config, e);
    if (!code)
        code = listener_open(&config->http, &listener, e);
    if (!code)
        code = server_run(config, spool, &listener, e);
    listener_close(&listener);
    spool_close(spool);
    return code;
}

/* What config_load cannot know: whether the directories can be used. */
static enum err_code check(const struct config *config, struct err *e)
{
    struct spool *spool = NULL;
    struct body_files bodies;
    enum err_code code = spool_open_config(config, &spool, e);
    if (!code)
        code = body_files_init(config, spool, &bodies, e);
    spool_close(spool);
    return code;
}

static enum err_code act(enum what what, const char *file, struct err *e)
{
    CLEANUP(config_release) struct config config;
    config_init(&config);
    if (what == WHAT_TOKEN)
        return token_print_new(stdout, e);
    enum err_code code = config_load_unsigned(&config, file, environ, e);
    if (code)
        return code;
    if (what == WHAT_CHECK)
        return check(&config, e);
    if (what == WHAT_SHOW) {
        config_show(&config, stdout);
        return ERR_OK;
    }
    return run(&config, e);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"show-config", no_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {"new-token", no_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    const char *file = cgi_config_file();
    enum what what = WHAT_RUN;
    struct err e = ERR_INIT;
    int option;
    if (cgi_is_request()) /* before the command line, which is the client's then */
        return cgi_main(environ);
    (void)signal(SIGHUP, SIG_IGN); /* until the server listens for it */
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            file = optarg;
            break;
        case 'k':
            what = WHAT_CHECK;
            break;
        case 't':
            what = WHAT_TOKEN;
            break;
        case 's':
            what = WHAT_SHOW;
            break;
        case 'h':
            print_help();
            return 0;
        case 'v':
            puts("hoist-fcgi " HOIST_VERSION);
            return 0;
        default:
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "hoist-fcgi: unexpected argument: %s\n", argv[optind]);
        return 2;
    }
    if (act(what, file, &e)) {
        log_error("main", "cannot go on", LOG_ERR(&e));
        return 1;
    }
    return 0;
}
