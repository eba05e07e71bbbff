/*
 * config_rows_work: the rows of [command NAME] and [schedule NAME], what makes bytes.  Only config_settings.c includes
 * this, inside the array config_settings.
 */
/* clang-format off */
    {COMMAND(
        CONFIG_TEXT, run, "",
        "The program and its arguments, as systemd splits them: words with blanks\n"
        "in quotes, backslash escapes, no shell.  What it writes on its standard\n"
        "output is uploaded when it has ended with status 0.")},
    {COMMAND_AS("time_limit", CONFIG_MS, time_limit_ms, "1h",
                "It is ended after so long, and the attempt has failed."),
     RANGE(1, DAY * 7000)},
    {COMMAND(CONFIG_SIZE, max_bytes, "5G",
             "The most that it, or a file that it writes, may hold."),
     RANGE(1, T(5))},
    {COMMAND(CONFIG_TEXT, type, "",
             "Content type of what it writes; empty: that of the destination.")},
    {COMMAND(CONFIG_BOOL, http, "no",
             "Whether clients may have it run (POST /v1/jobs).")},

    {SCHEDULE(CONFIG_TEXT, queue, "default", "The queue that its jobs go to.")},
    {SCHEDULE(CONFIG_TEXT, to, "", "Their destination, or several; empty: that of the queue.")},
    {SCHEDULE(CONFIG_NUMBER, priority, "5",
              "Their priority, 0 runs first; if not set, that of the queue."),
     RANGE(0, 9)},
    {SCHEDULE(CONFIG_TEXT, cron, "",
              "When: minute hour day month weekday, for example 30 2 * * MON-FRI.")},
    {SCHEDULE(CONFIG_TEXT, time_zone, "UTC",
              "The zone whose clocks cron means, for example Europe/Berlin.")},
    {SCHEDULE_AS("every", CONFIG_MS, every_ms, "0ms",
                 "Instead of cron: at the multiples of this since 1970; from 1s on."),
     RANGE(0, CRON_EVERY_MAX_MS)},
    {SCHEDULE(
        CONFIG_TEXT, source, "",
        "Where the bytes are from: command:NAME, the output of a [command NAME].")},
    {SCHEDULE_AS(
        "name", CONFIG_TEXT, object_name, "",
        "File name of what is uploaded; empty: the schedule's.  In name and key stand\n"
        "{yyyy} {mm} {dd} {hh} {mi} {ss} for the time it was due, in UTC, and {id} "
        "for\n"
        "the id of the job.")},
    {SCHEDULE(
        CONFIG_TEXT, key, "",
        "Key of the object below the destination, no two the same; empty: the id\n"
        "with the extension of name.")},
    /* clang-format on */
