/*
 * assets: the files that are built into the program, and the route that serves them.
 *
 *     fcgi-app/web/assets/index.html   --cmake/assets.cmake-->   generated/web_assets.c   -->   GET /
 *                         ui/NAME                                                                GET /ui/NAME
 *         those of the first view      --cmake/modules.cmake-->                                  GET /ui/app.js
 *     fcgi-app/web/npm/hoist.js, hoist.mjs                                                       GET /hoist.js, /hoist.mjs
 *
 * A first visit waits for the page, for what it names, each of which fits into the segments that a connection may send at first, and
 * for the stream of events, which ui/early.js has asked for by the time that ui/app.js is there: no chain is longer.
 *
 * A new file is a line in fcgi-app/CMakeLists.txt.  Every file has a strong ETag of its bytes, another one packed by gzip,
 * and is sent packed to whoever accepts that.  Answers are `Cache-Control: no-cache`: a browser keeps them and asks each time
 * whether they are still the same (304), so that no page runs with the script of another version.
 *
 * HTML also has the headers that keep a page to itself: a Content-Security-Policy under which only files of the same
 * origin are loaded, no text becomes a script or markup (Trusted Types), nothing frames it; and no Referer.
 *
 * All of it is open to everybody, like the documentation of what is behind it; what a page shows comes from routes that ask
 * who it is.  Read-only data, any thread.
 * Sources: RFC 9110 sections 8.8.3 (tags of encodings) and 12.5.3 (Accept-Encoding), Content Security Policy Level 3.
 */
#ifndef HOIST_FCGI_WEB_ASSETS_H
#define HOIST_FCGI_WEB_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

struct exchange;

struct asset_bytes {
    const unsigned char *bytes; /* NULL: there is no such form of it */
    size_t len;
    const char *etag; /* with its quotes */
};

struct asset {
    const char *path; /* of the request, below "/": "ui/page.css" */
    const char *type; /* media type */
    struct asset_bytes plain, packed;
};

/* In generated/web_assets.c. */
extern const struct asset assets[];
extern const size_t assets_count;

/* NULL: there is none. */
const struct asset *asset_find(const char *path);

/* Answer with the file that the path names, "/" being index.html; 404 when there is none. */
void asset_answer(struct exchange *x);

/* Whether an Accept-Encoding (NULL: none was sent) allows gzip.  Pure. */
bool asset_accepts_gzip(const char *accept_encoding);

#endif
