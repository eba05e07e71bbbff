/*
 * config_rows_converter: the rows of [converter NAME].  Only config_settings.c includes this, inside the array
 * config_settings.
 */
/* clang-format off */
    {CONVERTER(
        CONFIG_TEXT, run, "",
        "The program and its arguments, split as those of a command.  The upload is\n"
        "its standard input; what it writes on its standard output is uploaded, if it\n"
        "ends with status 0.")},
    {CONVERTER(CONFIG_TEXT, type, "",
               "Content type of what it writes; empty: that of what it reads.")},
    {CONVERTER(
        CONFIG_TEXT, extension, "",
        "Extension of the object's key where the upload chose none, for example .png;\n"
        "empty: that of the upload.")},
    {CONVERTER_AS(
         "time_limit", CONFIG_MS, time_limit_ms, "10m",
         "It is ended after so long, and the attempt has failed.  While the store is\n"
         "slower than it, no time counts."),
     RANGE(1, DAY * 7000)},
    {CONVERTER_AS("cpu_limit", CONFIG_SECONDS, cpu_seconds, "10m",
                  "Processor time of each of its processes; 0: no limit."),
     RANGE(0, DAY * 7)},
    {CONVERTER(CONFIG_SIZE, memory_max, "512M",
               "Address space of each of its processes; 0: no limit."),
     RANGE(0, T(1))},
    {CONVERTER(
         CONFIG_NUMBER, processes_max, "64",
         "Its processes and threads, where the kernel can count them; 0: no limit."),
     RANGE(0, 100000)},
    {CONVERTER(CONFIG_SIZE, max_bytes, "5G",
               "The most that the last one of a row, or a file, may hold."),
     RANGE(1, T(5))},
    {CONVERTER(
         CONFIG_WORD, sandbox, "auto",
         "auto: no network and no file is written, as far as the kernel allows; the job\n"
         "says what was in force.  require: it is not run without.  no: as it is."),
     WORDS(sandbox_words, 3), .takes_bool = true},
    /* clang-format on */
