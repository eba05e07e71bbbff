/*
 * cgi: hoist-fcgi as a CGI 1.1 program (RFC 3875): the web server starts it for one request, and it ends with that.
 *
 *     environment, descriptors 0 and 1 -> cgi_carry.h -> the responder as server.h puts it together -> 202
 *
 * It is one where GATEWAY_INTERFACE and REQUEST_METHOD are in the environment and descriptor 0 is not a listening socket
 * (that is FastCGI, as from spawn-fcgi and mod_fcgid).  Its command line is not looked at: a web server may make it of
 * the client's query (RFC 3875, 4.4), so that /?--config+/tmp/x would choose the settings.  They are in the file that
 * HOIST_CONFIG names, else in CGI_CONFIG; "" is no file.  A client cannot set that: all of it begins with HTTP_.
 *
 * The promises are those of the responder.  Where it cannot start it answers 500 or 503, and the log, which is standard error,
 * has the reason.  Of a process that is killed, spool/tmp may keep what came of the body: the workers remove it
 * (shared/spool.h), as they do after a crash of a responder.
 */
#ifndef HOIST_FCGI_CGI_H
#define HOIST_FCGI_CGI_H

#include <stdbool.h>

#define CGI_CONFIG "/etc/hoist/hoist.ini"

bool cgi_is_request(void);

/* What HOIST_CONFIG says; NULL: no file. */
const char *cgi_config_file(void);

/* Answer it.  The program's exit status: 0, or 1 when there is something to be found in the log.  Call once, from the main
 * thread, before any other thread exists. */
int cgi_main(char *const *env);

#endif
