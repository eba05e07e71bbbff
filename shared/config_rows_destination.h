/*
 * config_rows_destination: the rows of [destination NAME].  Only config_settings.c includes this, inside the array
 * config_settings.
 */
/* clang-format off */
    {DESTINATION(
        CONFIG_TEXT, url, "file:///var/lib/hoist/objects",
        "Where objects go: file:///dir, s3://bucket[/prefix], http(s)://host[/path] or\n"
        "command:NAME, a [command NAME] that is given the bytes.  A destination with\n"
        "another name than default has no default url.")},
    {DESTINATION(
        CONFIG_TEXT, endpoint, "",
        "S3: http://host[:port] or https://host[:port] of a store that is not\n"
        "Amazon's; empty: https://s3.REGION.amazonaws.com.")},
    {DESTINATION(
         CONFIG_WORD, provider, "generic",
         "S3: whose store it is, for what they differ in; generic finds out.  Where\n"
         "endpoint is empty it is aws."),
     WORDS(provider_words, 10)},
    {DESTINATION(
        CONFIG_TEXT, region, "us-east-1",
        "S3: the region.  Where none is given: auto for r2 and gcs, garage for garage.")},
    {DESTINATION(
         CONFIG_WORD, style, "auto",
         "S3: path (endpoint/bucket/key) or virtual (bucket.endpoint/key); auto:\n"
         "virtual where endpoint is empty and the bucket has no dot, else path."),
     WORDS(style_words, 3)},
    {DESTINATION(
         CONFIG_WORD, credentials, "auto",
         "S3: where the keys are from: config, access_key and secret_key here;\n"
         "environment, AWS_ACCESS_KEY_ID and so on; file, see credentials_file; imds, the\n"
         "role of an EC2 instance; container, that of a task or pod;\n"
         "web_identity, AWS_WEB_IDENTITY_TOKEN_FILE at STS; auto: the first that\n"
         "is there, web_identity and container before imds."),
     WORDS(credentials_words, 7)},
    {DESTINATION(CONFIG_TEXT, access_key, "", "S3: the access key id.")},
    {DESTINATION(CONFIG_TEXT, secret_key, "",
                 "S3: the secret access key.  Not together with secret_key_file."),
     .privacy = CONFIG_SECRET},
    {DESTINATION(CONFIG_PATH, secret_key_file, "",
                 "S3: a file with the secret access key, not readable by others; the\n"
                 "worker reads it again when it changes."),
     .takes_credential = true},
    {DESTINATION(
         CONFIG_TEXT, session_token, "",
         "S3: the token of temporary keys.  Not together with session_token_file."),
     .privacy = CONFIG_SECRET},
    {DESTINATION(CONFIG_PATH, session_token_file, "",
                 "S3: a file with that token; they are longer than a line may be."),
     .takes_credential = true},
    {DESTINATION(
         CONFIG_PATH, credentials_file, "",
         "S3: a file like ~/.aws/credentials, which it is when this is empty and\n"
         "AWS_SHARED_CREDENTIALS_FILE names none.  Read again when it changes."),
     .takes_credential = true},
    {DESTINATION(
        CONFIG_TEXT, profile, "",
        "S3: the section of that file; empty: AWS_PROFILE, else default.")},
    {DESTINATION(
        CONFIG_TEXT, imds_endpoint, "",
        "S3: where an EC2 instance asks for its role's keys; empty:\n"
        "AWS_EC2_METADATA_SERVICE_ENDPOINT, else http://169.254.169.254.")},
    {DESTINATION(
        CONFIG_TEXT, sts_endpoint, "",
        "S3: where a web identity becomes keys; empty: AWS_ENDPOINT_URL_STS,\n"
        "else https://sts.REGION.amazonaws.com.")},
    {DESTINATION(CONFIG_WORD, method, "PUT",
                 "http: PUT to the url, a slash and the key, or POST to the url itself."),
     WORDS(method_words, 2)},
    {DESTINATION(CONFIG_TEXT, bearer_token, "",
                 "http: is sent as Authorization: Bearer.  Not together with its file."),
     .privacy = CONFIG_SECRET},
    {DESTINATION(CONFIG_PATH, bearer_token_file, "",
                 "http: a file with that token, not readable by others."),
     .takes_credential = true},
    {DESTINATION(CONFIG_TEXT, hmac_secret, "",
                 "http: requests are signed with it (Hoist-Signature).  Not together with\n"
                 "hmac_secret_file."),
     .privacy = CONFIG_SECRET},
    {DESTINATION(CONFIG_PATH, hmac_secret_file, "",
                 "http: a file with that secret, not readable by others."),
     .takes_credential = true},
    {DESTINATION(
         CONFIG_WORD, conditional, "probe",
         "S3, http PUT: create only (If-None-Match: *), so that nothing is overwritten.\n"
         "probe: the first small object goes to S3 twice, to see that the store honours it;\n"
         "yes: it does."),
     WORDS(conditional_words, 3), .takes_bool = true},
    {DESTINATION(
         CONFIG_WORD, checksum, "sha256",
         "S3: the checksum that the store is sent and verifies: sha256, crc32c (which costs\n"
         "it less), md5 (Content-MD5; files are read twice) or no, the default for b2 and gcs."),
     WORDS(checksum_words, 4), .takes_bool = true},
    {DESTINATION(
        CONFIG_TEXT, key, "",
        "Keys of jobs that ask for none, with {id} and any of {yyyy} {mm} {dd} {hh} {mi}\n"
        "{ss} {ext} {name} {queue} {meta.NAME}; empty: {id}{ext}.")},
    {DESTINATION(CONFIG_TEXT, storage_class, "",
                 "S3: STANDARD_IA, GLACIER_IR ...; empty: the store's own.")},
    {DESTINATION(
        CONFIG_TEXT, acl, "",
        "S3: a canned ACL, as public-read; empty: none is sent.  Buckets of Amazon's take\n"
        "none unless told to.")},
    {DESTINATION(CONFIG_WORD, sse, "no",
                 "S3: encryption at rest that is asked for: no, AES256 or aws:kms."),
     WORDS(sse_words, 3)},
    {DESTINATION(CONFIG_TEXT, sse_kms_key_id, "",
                 "S3: the key of aws:kms; empty: the account's.")},
    {DESTINATION(CONFIG_BOOL, sse_bucket_key, "no",
                 "S3: with aws:kms, one data key for the bucket.")},
    {DESTINATION(CONFIG_TEXT, tags, "",
                 "S3: up to 10 tags of the object, as team=media&kind=raw scan.")},
    {DESTINATION(
        CONFIG_TEXT, content_disposition, "",
        "S3: Content-Disposition of the object; {name} becomes filename=... of the upload:\n"
        "attachment; {name}")},
    {DESTINATION(CONFIG_TEXT, cache_control, "",
                 "S3: Cache-Control of the object, as max-age=31536000, immutable.")},
    {DESTINATION(
        CONFIG_BOOL, presign, "no",
        "S3: GET /v1/jobs/{id}?presign=SECONDS gives a URL with which anybody can read the\n"
        "object so long.  The responder then needs the keys, too.")},
    {DESTINATION(CONFIG_SECONDS, presign_max_seconds, "3600",
                 "S3: the longest life of such a URL."),
     RANGE(1, 604800)},
    {DESTINATION(CONFIG_SIZE, multipart_threshold, "16M",
                 "S3: what is larger goes in parts, several at a time, which the next\n"
                 "worker goes on with where this one dies.  5G is the most that a store\n"
                 "takes at once."),
     RANGE(0, G(5))},
    {DESTINATION(CONFIG_SIZE, part_size, "0",
                 "S3: bytes of a part, from 5M to 5G, larger where there would be more\n"
                 "than 9,000 of them; 0: 8M.  Parts of one object have one size."),
     RANGE(0, G(5))},
    {DESTINATION(CONFIG_NUMBER, part_concurrency, "4",
                 "S3: how many parts of one object are sent at a time."),
     RANGE(1, 64)},
    {DESTINATION(CONFIG_TEXT, content_type, "application/octet-stream",
                 "Content type of objects whose upload named none.")},
    {DESTINATION(CONFIG_TEXT, allow_types, "",
                 "Types of files that are accepted for it, as in [queue NAME]; empty: all.")},
    {DESTINATION(CONFIG_SECONDS, connect_timeout_seconds, "10",
                 "Limit for making a connection."),
     RANGE(1, 3600)},
    {DESTINATION(CONFIG_SECONDS, stall_timeout_seconds, "30",
                 "An upload of which no byte moved for so long has failed."),
     RANGE(1, 3600)},
    {DESTINATION(CONFIG_SECONDS, answer_timeout_seconds, "120",
                 "Limit for the answer after the last byte was sent."),
     RANGE(1, 3600)},
    {DESTINATION(
         CONFIG_NUMBER, max_requests, "256",
         "S3, http: so many requests at once at most, in each worker.  It begins with 64\n"
         "and finds out how many the store takes; destinations of one host share them."),
     RANGE(1, 1024)},
    {DESTINATION(
         CONFIG_NUMBER, breaker_failures, "5",
         "S3, http: so many requests in a row that the store does not answer, or\n"
         "answers with 5xx, and jobs are left where they are until it is back; 0: never."),
     RANGE(0, 1000000)},
    {DESTINATION(
         CONFIG_SECONDS, breaker_max_seconds, "60",
         "S3, http: then one job tries after 1 s, and after twice as long each time,\n"
         "up to this."),
     RANGE(1, 3600)},
    {DESTINATION(CONFIG_PATH, ca_file, "",
                 "Certificates (PEM) that are trusted; empty: the system's.")},
    /* clang-format on */
