/*
 * config_rows_webhook: the rows of [webhook NAME], who is told of the end of jobs.  Only config_settings.c includes this,
 * inside the array config_settings.
 */
/* clang-format off */
    {WEBHOOK(
        CONFIG_TEXT, url, "",
        "Where a POST goes when a job has ended, https:// or http://.  The section named\n"
        "callback has none: its URLs are those that uploads name (option callback),\n"
        "which are refused without that section.")},
    {WEBHOOK(
         CONFIG_PATH, secret_file, "",
         "A file with the 32 or more characters that its requests are signed with\n"
         "(Hoist-Signature), or credential:NAME.  Needed; openssl rand -hex 32 makes them."),
     .takes_credential = true},
    {WEBHOOK(CONFIG_TEXT, secret, "",
             "The secret itself; meant for HOIST_WEBHOOK_NAME_SECRET."),
     .privacy = CONFIG_SECRET},
    {WEBHOOK(CONFIG_PATH, second_secret_file, "",
             "A second one, with which they are signed, too, while receivers change from\n"
             "one to the other."),
     .takes_credential = true},
    {WEBHOOK(CONFIG_TEXT, second_secret, "", "As secret."),
     .privacy = CONFIG_SECRET},
    {WEBHOOK(CONFIG_TEXT, events, "done, dead, cancelled, batch",
             "What is told: ends of jobs, and that all jobs of a batch have ended.")},
    {WEBHOOK(CONFIG_TEXT, queues, "*",
             "Whose jobs: names of queues with commas between them, or * for all.  Not of\n"
             "callback.")},
    {WEBHOOK(CONFIG_TEXT, destinations, "*",
             "And of these destinations alone, likewise.")},
    {WEBHOOK(
        CONFIG_TEXT, queue, "hooks",
        "The queue of the jobs that deliver it, for which some worker must work; hooks\n"
        "needs no section.  Not set there, max_attempts is 25, retry_base 5s and\n"
        "retry_cap 1h.")},
    {WEBHOOK(
        CONFIG_TEXT, allow, "",
        "Addresses that may be called although they are private, or their port is below\n"
        "1024, as in [fetch]; what url names is allowed.")},
    {WEBHOOK(CONFIG_BOOL, only_allowed, "no",
             "Of callback: call nothing but what allow names.")},
    {WEBHOOK(CONFIG_TEXT, deny, "",
             "What is never called, in the same form; wins over allow.")},
    {WEBHOOK(CONFIG_BOOL, http, "no",
             "Of callback: whether URLs may be http://, which everybody on the way reads.")},
    {WEBHOOK_AS("timeout", CONFIG_MS, timeout_ms, "10s",
                "A request that is not answered after so long has failed."),
     RANGE(100, 300000)},
    {WEBHOOK(CONFIG_PATH, ca_file, "",
             "Certificates (PEM) that are trusted; empty: the system's.")},
    /* clang-format on */
