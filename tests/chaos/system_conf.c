#include "tests/chaos/system.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void die(const char *what)
{
    fprintf(stderr, "chaos: %s: %s\n", what, strerror(errno));
    abort();
}

/* A file below the directory of the run, written anew. */
static FILE *open_file(const struct system *s, const char *name)
{
    FILE *f = fopen(system_path(s, name), "we");

    if (!f || fchmod(fileno(f), 0600) < 0)
        die(name);
    return f;
}

static void close_file(FILE *f, const char *name)
{
    if (fclose(f) != 0)
        die(name);
}

__attribute__((format(printf, 3, 4))) static void
write_file(const struct system *s, const char *name, const char *format, ...)
{
    va_list args;
    FILE *f = open_file(s, name);

    va_start(args, format);
    if (vfprintf(f, format, args) < 0)
        die(name);
    va_end(args);
    close_file(f, name);
}

/* A file of deploy/nginx/ with the responders' socket of this run. */
static void copy_web_file(const struct system *s, const char *name)
{
    static const char socket[] = "/run/hoist/fcgi.sock";
    char path[512], line[1024];
    FILE *out = open_file(s, name);

    (void)snprintf(path, sizeof path, "%s/deploy/nginx/%s", HOIST_SOURCE_DIR,
                   strchr(name, '/') + 1);
    FILE *in = fopen(path, "re");
    if (!in)
        die(path);
    while (fgets(line, sizeof line, in)) {
        char *at = strstr(line, socket);
        if (at)
            fprintf(out, "%.*s%s%s", (int)(at - line), line,
                    system_path(s, "run/fcgi.sock"), at + strlen(socket));
        else
            fputs(line, out);
    }
    (void)fclose(in); /* only read */
    close_file(out, name);
}

/* What both nginx have in common. */
static const char nginx_head[] =
    "user root;\ndaemon off;\nworker_processes 2;\nworker_rlimit_nofile 8192;\n"
    "error_log stderr error;\nworker_shutdown_timeout 5s;\n"
    "events { worker_connections 1024; }\n";

static void write_web(const struct system *s)
{
    const char *dir = s->dir.path;

    copy_web_file(s, "etc/hoist.conf");
    copy_web_file(s, "etc/hoist-upstream.conf");
    write_file(
        s, "etc/web.conf",
        "%spid %s/run/web.pid;\nhttp {\naccess_log off;\n"
        "large_client_header_buffers 4 16k;\nkeepalive_requests 10000;\n"
        "client_body_temp_path %s/tmp;\nfastcgi_temp_path %s/tmp;\n"
        "proxy_temp_path %s/tmp;\nuwsgi_temp_path %s/tmp;\nscgi_temp_path %s/tmp;\n"
        "include %s/etc/hoist-upstream.conf;\n"
        "server {\nlisten unix:%s/run/web.sock;\ninclude %s/etc/hoist.conf;\n}\n}\n",
        nginx_head, dir, dir, dir, dir, dir, dir, dir, dir, dir);
}

/* The sink: what is put is there whole or not at all, since nginx writes it elsewhere first. */
static void write_sink(const struct system *s)
{
    const char *dir = s->dir.path;

    write_file(
        s, "etc/store.conf",
        "%spid %s/run/store.pid;\nhttp {\naccess_log %s/log/store-access.log "
        "combined;\n"
        "client_body_temp_path %s/objects-tmp;\nfastcgi_temp_path %s/tmp;\n"
        "proxy_temp_path %s/tmp;\nuwsgi_temp_path %s/tmp;\nscgi_temp_path %s/tmp;\n"
        "keepalive_requests 10000;\nclient_max_body_size 0;\n"
        "server {\nlisten unix:%s/run/store.sock;\nroot %s/objects;\n"
        "if (-f %s/run/store-sick) { return 503; }\n"
        "dav_methods PUT DELETE;\ncreate_full_put_path on;\n}\n}\n",
        nginx_head, dir, dir, dir, dir, dir, dir, dir, dir, dir, dir);
}

/* Destination and what responders and workers have in common, after [redis]. */
static void write_common(const struct system *s, FILE *f)
{
    fprintf(f,
            "[spool]\ndir = %s/disk/spool\nreconcile_seconds = 2\n"
            "[queue default]\nretry_base = 100ms\nretry_cap = 2s\n"
            "max_attempts = 1000\nmax_crashes = 1000\nkeep_done_count = 1000000\n"
            "[destination default]\n",
            s->dir.path);
    if (s->options->store == OPTIONS_FILE) {
        fprintf(f, "url = file://%s/objects\n", s->dir.path);
        return;
    }
    fprintf(f,
            "url = s3://uploads\nendpoint = http://127.0.0.1:%d\nregion = us-east-1\n"
            "style = path\naccess_key = S3RVER\nsecret_key = %s\n"
            "connect_timeout_seconds = 2\nstall_timeout_seconds = 3\n"
            "answer_timeout_seconds = 5\n",
            proxy_port(s->store_proxy), SYSTEM_SECRET);
    if (s->options->store == OPTIONS_SINK)
        fputs("conditional = no\nchecksum = no\n", f);
}

static void write_settings(const struct system *s)
{
    char name[32];

    FILE *f = open_file(s, "etc/responder.ini");
    fprintf(f, "[redis]\nurl = unix://%s/run/redis.sock\n", s->dir.path);
    write_common(s, f);
    close_file(f, "etc/responder.ini");
    for (int i = 0; i < s->options->workers; i++) {
        (void)snprintf(name, sizeof name, "etc/worker-%d.ini", i + 1);
        f = open_file(s, name);
        fprintf(f, "[redis]\nurl = redis://127.0.0.1:%d\n",
                proxy_port(s->redis_proxy[i]));
        write_common(s, f);
        fprintf(f, "[worker]\nlease_ms = %lldms\ndrain_seconds = 2\n",
                (long long)s->options->lease_ms);
        close_file(f, name);
    }
}

void system_write_files(struct system *s)
{
    write_web(s);
    write_sink(s);
    write_settings(s);
    write_file(
        s, "etc/redis.conf",
        "dir %s/redis\nport 0\nunixsocket %s/run/redis.sock\nunixsocketperm 700\n"
        "daemonize no\nappendonly yes\nappendfsync everysec\nsave \"\"\n"
        "maxmemory-policy noeviction\n",
        s->dir.path, s->dir.path);
}
