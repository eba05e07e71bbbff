/*
 * config_rows_auth: the rows of [auth NAME], who may do what.  Only config_settings.c includes this, inside the array
 * config_settings.
 */
/* clang-format off */
    {AUTH(
         CONFIG_TEXT, token, "",
         "Its bearer token, as sha256:HEX: hoist-fcgi --new-token makes one and prints\n"
         "that line.  The token itself is nowhere in the configuration."),
     .privacy = CONFIG_SECRET},
    {AUTH(
         CONFIG_PATH, token_file, "",
         "Instead of token: a file with the token or with its sha256:HEX, mode 0600, or\n"
         "credential:NAME of systemd's LoadCredential.  Read once, by hoist-fcgi alone."),
     .takes_credential = true},
    {AUTH(CONFIG_TEXT, second_token, "",
          "A second one that is as good, while clients change from one to the other."),
     .privacy = CONFIG_SECRET},
    {AUTH(CONFIG_PATH, second_token_file, "", "As token_file."),
     .takes_credential = true},
    {AUTH(
         CONFIG_PATH, policy_key_file, "",
         "A file with 32 or more characters that sign upload policies, which give no\n"
         "more rights than this section has: openssl rand -hex 32 makes them."),
     .takes_credential = true},
    {AUTH(CONFIG_TEXT, policy_key, "",
          "The key itself; meant for HOIST_AUTH_NAME_POLICY_KEY."),
     .privacy = CONFIG_SECRET},
    {AUTH(CONFIG_PATH, second_policy_key_file, "",
          "A second one whose policies are good, too, while signers change from one to\n"
          "the other."),
     .takes_credential = true},
    {AUTH(CONFIG_TEXT, second_policy_key, "", "As policy_key."),
     .privacy = CONFIG_SECRET},
    {AUTH(
        CONFIG_TEXT, scopes, "upload, read",
        "What it may do: upload (make jobs, and steer its own), read (look at its own),\n"
        "admin (everything, with all jobs),\n"
        "metrics (GET /metrics, which tells of all queues; so read may, where queues = *).")},
    {AUTH(CONFIG_TEXT, queues, "*",
          "The queues it may use: names with commas between them, or * for all.")},
    {AUTH(CONFIG_TEXT, destinations, "*",
          "The destinations its jobs may have, likewise.")},
    {AUTH(
         CONFIG_SIZE, max_bytes, "0",
         "The largest file it may upload, where its queue allows more; 0: the queue's\n"
         "max_bytes alone counts."),
     RANGE(0, T(5))},
    {AUTH(
         CONFIG_NUMBER, requests_per_second, "0",
         "More than that are answered 429, in each process of hoist-fcgi; 0: no limit."),
     RANGE(0, 1000000)},
    {AUTH(CONFIG_NUMBER, requests_burst, "0",
          "So many at once are allowed after a pause; 0: as many as in a second."),
     RANGE(0, 1000000)},
    {AUTH(
         CONFIG_SIZE, bytes_per_day, "0",
         "More than that from midnight to midnight, UTC, is answered 429, counted in\n"
         "Redis over all processes; 0: no limit."),
     RANGE(0, T(1000))},
    {AUTH(
         CONFIG_NUMBER, jobs_in_flight, "0",
         "With so many jobs that have not ended another one is answered 429, counted in\n"
         "Redis over all processes; 0: no limit."),
     RANGE(0, 100000)},
    /* clang-format on */
