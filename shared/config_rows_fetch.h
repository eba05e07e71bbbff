/*
 * config_rows_fetch: the rows of [fetch].  Only config_settings.c includes this, inside the array config_settings.
 */
/* clang-format off */
    {FETCH(CONFIG_BOOL, enabled, "no",
           "Whether a job may name a URL whose bytes are fetched (POST /v1/jobs).  What\n"
           "is fetched is reached from the workers' network: see allow and deny.")},
    {FETCH(CONFIG_TEXT, allow, "",
           "What may be fetched although its address is private, or its port below\n"
           "1024: HOST, *.DOMAIN, an address or ADDRESS/BITS, with :PORT behind it or\n"
           "not, commas between them.")},
    {FETCH(CONFIG_BOOL, only_allowed, "no", "Fetch nothing but what allow names.")},
    {FETCH(CONFIG_TEXT, deny, "",
           "What is never fetched, in the same form; wins over allow.")},
    {FETCH(CONFIG_SIZE, max_bytes, "5G",
           "The most that is fetched for one job; the max_bytes of its queue holds, too."),
     RANGE(1, T(5))},
    {FETCH_AS("time_limit", CONFIG_MS, time_limit_ms, "1h",
              "A fetch that takes longer is given up, and the attempt has failed."),
     RANGE(1, DAY * 7000)},
    {FETCH(CONFIG_NUMBER, redirects_max, "3",
           "Redirects that are followed, each checked like the first address."),
     RANGE(0, 20)},
    {FETCH(CONFIG_PATH, ca_file, "",
           "Certificates (PEM) that are trusted; empty: the system's.")},
    /* clang-format on */
