/*
 * config_rows_programs: the rows of [redis] [spool] [http] [worker] [queue NAME], in the order in which they are shown.
 * Only config_settings.c includes this, inside the array config_settings.
 */
/* clang-format off */
    {REDIS(CONFIG_TEXT, url, "redis://127.0.0.1:6379",
           "Where Redis is: redis://[user[:password]@]host[:port][/db] or\n"
           "unix:///path[?db=N].  A password is better given in password_file."),
     .privacy = CONFIG_SECRET_URL},
    {REDIS(CONFIG_PATH, password_file, "",
           "A file with the password of Redis; wins over one in url."),
     .takes_credential = true},
    {REDIS(CONFIG_TEXT, password, "",
           "The password itself; meant for HOIST_REDIS_PASSWORD.  Not with "
           "password_file."),
     .privacy = CONFIG_SECRET},
    {REDIS(CONFIG_MS, connect_timeout_ms, "1000", "Limit for making a connection."),
     RANGE(1, 600000)},
    {REDIS(CONFIG_MS, timeout_ms, "1000", "Limit for one command."), RANGE(1, 600000)},
    {REDIS(
         CONFIG_NUMBER, wait_replicas, "0",
         "A 202 waits, at most wait_ms, until so many replicas have its job, and says\n"
         "how many had.  The file is safe in the spool without it."),
     RANGE(0, 16)},
    {REDIS(CONFIG_BOOL, wait_aof, "no",
           "The same until Redis has synced its append-only file; from Redis 7.2 on.")},
    {REDIS(CONFIG_MS, wait_ms, "100", "Limit for what a 202 waits for."),
     RANGE(1, 10000)},
    {REDIS(
         CONFIG_NUMBER, high_water, "0",
         "Percent of Redis' maxmemory from which on new uploads are refused with 503;\n"
         "0: none, they wait in the spool."),
     RANGE(0, 100)},
    {REDIS(CONFIG_NUMBER, low_water, "0",
           "Percent below which they are welcome again; 0: five less."),
     RANGE(0, 100)},

    {SPOOL(
        CONFIG_PATH, dir, "/var/spool/hoist",
        "The directory that keeps every accepted upload until it has arrived.  On a\n"
        "local disk, mode 0700, of the user that the programs run as.")},
    {SPOOL(
         CONFIG_WORD, durability, "disk",
         "disk: a 202 survives a power cut.  memory: no syncs, for a spool on tmpfs."),
     WORDS(durability_words, 2)},
    {SPOOL(CONFIG_SECONDS, reconcile_seconds, "30",
           "How often spool and Redis are compared and repaired."),
     RANGE(1, DAY)},
    {SPOOL(CONFIG_BOOL, own_filesystem, "no",
           "Refuse to use dir while nothing is mounted there, so that a spool whose\n"
           "disk is missing never fills the disk below.")},
    {SPOOL(CONFIG_SIZE, small_bytes, "16K",
           "An upload of at most so many bytes that comes alone stands in one file with\n"
           "its manifest, which is faster; 0: none, the bytes of each have a file."),
     RANGE(0, K(64))},
    {SPOOL(CONFIG_SIZE, max_bytes, "0",
           "Bytes that the spool may hold; 0: what its file system has."),
     RANGE(0, T(1024))},
    {SPOOL(CONFIG_NUMBER, max_files, "0",
           "Uploads that the spool may hold; 0: what its file system has."),
     RANGE(0, 1000000000)},
    {SPOOL(CONFIG_NUMBER, high_water, "95",
           "Percent of bytes, files or inodes from which on new uploads are refused\n"
           "with 507."),
     RANGE(1, 100)},
    {SPOOL(CONFIG_NUMBER, low_water, "0",
           "Percent below which they are welcome again; 0: five less."),
     RANGE(0, 100)},

    {HTTP(CONFIG_PATH, listen, "/run/hoist/fcgi.sock",
          "The unix socket of the responder, unless it was given a descriptor by\n"
          "systemd or spawn-fcgi.")},
    {HTTP(CONFIG_OCTAL, socket_mode, "0660", "Permissions of that socket."),
     RANGE(0, 0777)},
    {HTTP(CONFIG_TEXT, socket_group, "",
          "Group of that socket, that of the web server; empty: the program's own.")},
    {HTTP(CONFIG_NUMBER, threads, "4",
          "Requests that are handled at the same time, not counting those whose\n"
          "client is slow."),
     RANGE(1, 256)},
    {HTTP(CONFIG_NUMBER, max_threads, "256",
          "Threads in all: one more is started for each request that a slow client\n"
          "holds up."),
     RANGE(1, 4096)},
    {HTTP(CONFIG_NUMBER, max_connections, "1024",
          "Connections from the web server that may be open, idle ones included, besides\n"
          "those of max_waiters and max_listeners."),
     RANGE(1, 65536)},
    {HTTP(CONFIG_SECONDS, receive_timeout_seconds, "60",
          "A request whose body stands still for so long is given up."),
     RANGE(1, 3600)},
    {HTTP(CONFIG_SECONDS, send_timeout_seconds, "60",
          "An answer that the web server does not take for so long is given up."),
     RANGE(1, 3600)},
    {HTTP(CONFIG_NUMBER, max_parts, "64",
          "Parts of one form, files and fields together."),
     RANGE(1, 10000)},
    {HTTP(CONFIG_SIZE, max_part_header_bytes, "16K", "Headers of one part of a form."),
     RANGE(256, K(1024))},
    {HTTP(CONFIG_SIZE, max_field_bytes, "4K", "One text field of a form."),
     RANGE(64, K(1024))},
    {HTTP(CONFIG_NUMBER, max_part_headers, "16", "Header lines of one part of a form."),
     RANGE(1, 1000)},
    {HTTP(CONFIG_SIZE, max_preamble_bytes, "64K",
          "Bytes before the first part of a form, and as many after the last."),
     RANGE(0, K(1024 * 1024))},
    {HTTP(CONFIG_NUMBER, max_waiters, "2048",
          "Requests with ?wait= or Prefer: wait that may be parked at the same time;\n"
          "max_connections does not count them."),
     RANGE(0, 65536)},
    {HTTP(CONFIG_NUMBER, max_listeners, "2048",
          "Event streams (GET /v1/events, /v1/jobs/{id}/events) that may be open at the\n"
          "same time; max_connections does not count them.  0: there are none."),
     RANGE(0, 65536)},
    {HTTP(CONFIG_SECONDS, wait_max_seconds, "60",
          "The longest ?wait= or Prefer: wait that is granted."),
     RANGE(0, 3600)},
    {HTTP(CONFIG_TEXT, cors_origins, "",
          "Web pages that may use the service from a browser, with commas:\n"
          "https://app.example, https://*.b.example:8443.  Empty: its own alone.")},
    {HTTP(CONFIG_TEXT, hosts, "",
          "Names that it may be called by, with commas: upload.example, *.c.example;\n"
          "addresses and localhost always are.  Empty: any, where who asks must say\n"
          "who he is, else no other, so that no web page can reach it by a name of its\n"
          "own.")},
    {HTTP(CONFIG_TEXT, peer_users, "",
          "Users, by name or number and with commas, who may connect to the unix socket;\n"
          "the program's own always may.  Empty: whoever its permissions let in.")},
    {HTTP(CONFIG_TEXT, web_servers, "",
          "Addresses, with commas, from which web servers may connect to a TCP socket\n"
          "that is passed on; empty: it must be on a loopback address, or those of\n"
          "FCGI_WEB_SERVER_ADDRS.")},
    {HTTP(CONFIG_NUMBER, slow_ms, "5000",
          "A request that takes longer, in milliseconds, is logged and counted by\n"
          "/status; time in which it waits for a job is not counted.  0: none is."),
     RANGE(0, 3600000)},
    {HTTP(CONFIG_PATH, body_dir, "",
          "Directory in which nginx leaves large bodies as files (hoist-bodies.conf), to\n"
          "be taken over without a copy; on the file system of [spool] dir.")},
    {HTTP(CONFIG_TEXT, body_user, "",
          "The user who owns those files, nginx's; empty: the one that the program runs\n"
          "as.")},

    {HTTP(CONFIG_SECONDS, idempotency_keep_seconds, "1d",
          "An Idempotency-Key is remembered for at least so long after its request,\n"
          "and as long as any of its jobs is known."),
     RANGE(60, 31536000)},
    {HTTP(CONFIG_WORD, log_level, "info", "The lowest level that hoist-fcgi logs."),
     WORDS(level_words, 4)},

    {WORKER(
        CONFIG_TEXT, queues, "*",
        "The queues that are worked on, the first ones first: names with commas "
        "between\n"
        "them.  With weights (media:5, docs:1) none waits for the others.  * stands "
        "for\n"
        "all that are configured, and then those that others add while this runs.")},
    {WORKER(CONFIG_NUMBER, concurrency, "64",
            "Uploads at the same time in one process."),
     RANGE(1, 1024)},
    {WORKER(
         CONFIG_SIZE, memory, "256M",
         "Memory for the parts of uploads whose length nobody knows (what converters\n"
         "write, what comes from a URL): each takes 8M or more once it has passed 256K,\n"
         "the others wait.  A part is no larger than a quarter of it, or 8M."),
     RANGE(INT64_C(8) << 20, T(1))},
    {WORKER(CONFIG_SIZE, bandwidth, "0",
            "Bytes a second that all uploads together may send; 0: no limit."),
     RANGE(0, T(1))},
    {WORKER(CONFIG_SECONDS, drain_seconds, "30",
            "After SIGTERM: how long running uploads may take to finish."),
     RANGE(0, DAY)},
    {WORKER(CONFIG_MS, lease_ms, "10000",
            "A job of a worker that is silent for so long runs again elsewhere."),
     RANGE(1000, 3600000)},
    {WORKER(
        CONFIG_TEXT, id, "",
        "Name of the worker in Redis and in logs; empty: made from host and process.")},
    {WORKER(
        CONFIG_PATH, alive_file, "",
        "A file that is touched every 2.5 seconds while the worker works, and removed\n"
        "when nothing could be claimed for 15 seconds; each worker wants its own.")},
    {WORKER(
        CONFIG_TEXT, metrics_listen, "",
        "Where Prometheus may ask this worker, GET /metrics: unix:/PATH, 127.0.0.1:PORT\n"
        "or [::1]:PORT, no other address; each worker wants its own.")},
    {WORKER(
        CONFIG_PATH, metrics_file, "",
        "A file with the same, written anew every 5 seconds, for the textfile collector\n"
        "of node_exporter: its name ends in .prom; each worker wants its own.")},
    {WORKER(CONFIG_TEXT, otlp_url, "",
            "Where attempts are told as OpenTelemetry traces, OTLP over HTTP in JSON:\n"
            "http://127.0.0.1:4318/v1/traces is a collector on this machine.  Empty: nowhere."),
     .privacy = CONFIG_SECRET_URL},
    {WORKER(CONFIG_TEXT, otlp_header, "",
            "A header of those requests, \"Authorization: Bearer ...\"; meant for\n"
            "HOIST_WORKER_OTLP_HEADER."),
     .privacy = CONFIG_SECRET},
    {WORKER(CONFIG_WORD, log_level, "info", "The lowest level that hoist-worker logs."),
     WORDS(level_words, 4)},

    {QUEUE(CONFIG_TEXT, to, "default",
           "The destination of jobs that name none; or several, up to 8, with commas:\n"
           "each has its own tries, and a job is done when it has arrived at all.")},
    {QUEUE(
        CONFIG_TEXT, convert, "",
        "The converters of uploads that name none, one after the other: names with\n"
        "commas between them.")},
    {QUEUE(CONFIG_NUMBER, priority, "5", "Of jobs that name none; 0 runs first."),
     RANGE(0, 9)},
    {QUEUE(CONFIG_NUMBER, max_attempts, "10",
           "A job that failed so often is dead: its bytes are kept, a person decides."),
     RANGE(1, 1000)},
    {QUEUE(CONFIG_NUMBER, max_crashes, "3",
           "A job that was running in so many workers that died is dead, too."),
     RANGE(1, 1000)},
    {QUEUE(CONFIG_SIZE, max_bytes, "5G", "The largest file that is accepted."),
     RANGE(0, T(5))},
    {QUEUE_AS(
         "retry_base", CONFIG_MS, retry_base_ms, "1s",
         "Pause before the second attempt, doubled before each later one; the pause\n"
         "taken is a random part of it."),
     RANGE(1, DAY * 1000)},
    {QUEUE_AS("retry_cap", CONFIG_MS, retry_cap_ms, "5m", "The longest such pause."),
     RANGE(1, DAY * 1000)},
    {QUEUE(CONFIG_SECONDS, keep_done_seconds, "7d",
           "How long a finished job can still be looked up.  Not less than a minute: "
           "who\n"
           "waits for it, and the comparison of spool and Redis, must still find it."),
     RANGE(60, DAY * 3650)},
    {QUEUE(CONFIG_NUMBER, keep_done_count, "100000",
           "How many finished jobs can still be looked up."),
     RANGE(0, 100000000)},
    {QUEUE(CONFIG_TEXT, allow_types, "",
           "Types of files that are accepted, for example image/*, application/pdf; "
           "empty:\n"
           "all.  What counts is what the first 4 KiB are, and what the client "
           "declares.")},
    /* clang-format on */
