#include "worker/flow/retry.h"

#include <stddef.h>
#include <string.h>

/* The codes of Amazon S3 ("Error responses", list of error codes) and those its likes add, where the status alone
 * would mislead or the class should not hang on the status a provider happens to use. */
static const struct {
    const char *code;
    enum retry_class class;
} codes[] = {
    {"BadDigest",
     RETRY_TRANSIENT}, /* damaged on the way; a damaged spool file is found when it is read again */
    {"ConditionalRequestConflict", RETRY_TRANSIENT},
    {"IncompleteBody", RETRY_TRANSIENT},
    {"InternalError", RETRY_TRANSIENT},
    {"InternalErrors", RETRY_TRANSIENT},
    {"OperationAborted", RETRY_TRANSIENT},
    {"RequestTimeout", RETRY_TRANSIENT},
    {"ServiceUnavailable", RETRY_TRANSIENT},
    {"XAmzContentChecksumMismatch", RETRY_TRANSIENT},
    {"XAmzContentSHA256Mismatch", RETRY_TRANSIENT},

    {"BandwidthLimitExceeded", RETRY_THROTTLED},
    {"RequestLimitExceeded", RETRY_THROTTLED},
    {"RequestThrottled", RETRY_THROTTLED},
    {"RequestThrottledException", RETRY_THROTTLED},
    {"SlowDown", RETRY_THROTTLED},
    {"SlowDownRead", RETRY_THROTTLED},
    {"SlowDownWrite", RETRY_THROTTLED},
    {"ThrottledException", RETRY_THROTTLED},
    {"Throttling", RETRY_THROTTLED},
    {"ThrottlingException", RETRY_THROTTLED},
    {"TooManyRequests", RETRY_THROTTLED},
    {"TooManyRequestsException", RETRY_THROTTLED},

    {"AccessControlListNotSupported", RETRY_CONFIG},
    {"AccessDenied", RETRY_CONFIG},
    {"AccountProblem", RETRY_CONFIG},
    {"AllAccessDisabled", RETRY_CONFIG},
    {"AuthorizationHeaderMalformed", RETRY_CONFIG},
    {"AuthorizationQueryParametersError", RETRY_CONFIG},
    {"IllegalLocationConstraintException", RETRY_CONFIG},
    {"InvalidBucketName", RETRY_CONFIG},
    {"InvalidEncryptionAlgorithmError", RETRY_CONFIG},
    {"InvalidRegion", RETRY_CONFIG},
    {"InvalidStorageClass", RETRY_CONFIG},
    {"InvalidTag", RETRY_CONFIG}, /* tags are a destination's */
    {"KMS.DisabledException", RETRY_CONFIG},
    {"KMS.KMSInvalidStateException", RETRY_CONFIG},
    {"KMS.NotFoundException", RETRY_CONFIG},
    {"MethodNotAllowed", RETRY_CONFIG},
    {"NoSuchBucket", RETRY_CONFIG},
    {"NotImplemented", RETRY_CONFIG},
    {"NotSignedUp", RETRY_CONFIG},
    {"PermanentRedirect", RETRY_CONFIG},
    {"QuotaExceeded", RETRY_CONFIG},
    {"Redirect", RETRY_CONFIG},
    {"RequestTimeTooSkewed", RETRY_CONFIG},
    {"TemporaryRedirect", RETRY_CONFIG},
    {"XMinioBucketQuotaExceeded", RETRY_CONFIG},
    {"XMinioStorageFull", RETRY_CONFIG},

    {"ExpiredToken", RETRY_REFRESH},
    {"InvalidAccessKeyId", RETRY_REFRESH},
    {"InvalidSecurity", RETRY_REFRESH},
    {"InvalidToken", RETRY_REFRESH},
    {"SignatureDoesNotMatch", RETRY_REFRESH},
    {"TokenRefreshRequired", RETRY_REFRESH},

    {"NoSuchUpload", RETRY_RESOLVE}, /* gone, or completed by an answer that was lost */
    {"PreconditionFailed", RETRY_RESOLVE},

    {"EntityTooLarge", RETRY_NEVER},
    {"EntityTooSmall", RETRY_NEVER},
    {"InvalidArgument", RETRY_NEVER},
    {"InvalidDigest", RETRY_NEVER},
    {"InvalidRequest", RETRY_NEVER},
    {"InvalidURI", RETRY_NEVER},
    {"KeyTooLongError", RETRY_NEVER},
    {"MalformedXML", RETRY_NEVER},
    {"MetadataTooLarge", RETRY_NEVER},
    {"MissingContentLength", RETRY_NEVER},
    {"NoSuchKey", RETRY_NEVER},
};

/* Statuses that mean something else than their hundred. */
static const struct {
    int status;
    enum retry_class class;
} statuses[] = {
    {401, RETRY_CONFIG},
    {403, RETRY_CONFIG},
    {404, RETRY_CONFIG}, /* of a PUT: no such bucket or endpoint */
    {405, RETRY_CONFIG},
    {407, RETRY_CONFIG},
    {408, RETRY_TRANSIENT},
    {409, RETRY_TRANSIENT},
    {412, RETRY_RESOLVE},
    {417, RETRY_TRANSIENT}, /* of an Expect that came too late to be taken back */
    {421, RETRY_TRANSIENT},
    {423, RETRY_TRANSIENT},
    {425, RETRY_TRANSIENT},
    {429, RETRY_THROTTLED},
    {499, RETRY_TRANSIENT},
    {501, RETRY_CONFIG},
    {505, RETRY_CONFIG},
    {507, RETRY_CONFIG},
    {511, RETRY_CONFIG},
};

static enum retry_class classify_status(int status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (statuses[i].status == status)
            return statuses[i].class;
    if (status >= 200 && status < 300)
        return RETRY_NONE;
    if (status >= 300 && status < 400)
        return RETRY_CONFIG; /* another endpoint or region */
    if (status >= 400 && status < 500)
        return RETRY_NEVER;
    return RETRY_TRANSIENT;
}

/* An answer with a code: known, or by its status; an unknown error in a 200 is no success. */
static enum retry_class classify_code(const char *code, int status)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(codes[i].code, code) == 0)
            return codes[i].class;
    enum retry_class class = classify_status(status);
    return class == RETRY_NONE ? RETRY_TRANSIENT : class;
}

static enum retry_class classify_net(enum retry_net net, bool body_sent)
{
    switch (net) {
    case RETRY_NET_RESOLVE:
    case RETRY_NET_CONNECT:
    case RETRY_NET_TLS:
        return RETRY_TRANSIENT; /* nothing can have left */
    case RETRY_NET_TLS_VERIFY:
        return RETRY_CONFIG;
    case RETRY_NET_OK:
    case RETRY_NET_SEND:
    case RETRY_NET_RECEIVE:
    case RETRY_NET_TIMEOUT:
    case RETRY_NET_ABORTED:
    case RETRY_NET_OTHER:
        break;
    }
    return body_sent ? RETRY_RESOLVE : RETRY_TRANSIENT;
}

enum retry_class retry_classify(const struct retry_outcome *o)
{
    if (o->code && *o->code)
        return classify_code(o->code, o->status);
    if (o->status < 300 && (o->net != RETRY_NET_OK || o->status < 200))
        return classify_net(o->net, o->body_sent);
    /* The code of a 400 that broke off may have been one that is worth another try: RequestTimeout, say. */
    if (o->status == 400 && o->net != RETRY_NET_OK)
        return RETRY_TRANSIENT;
    return classify_status(o->status);
}

const char *retry_class_name(enum retry_class class)
{
    static const char *const names[RETRY_CLASS_COUNT] = {
        [RETRY_NONE] = "none",           [RETRY_TRANSIENT] = "transient",
        [RETRY_THROTTLED] = "throttled", [RETRY_CONFIG] = "config",
        [RETRY_REFRESH] = "refresh",     [RETRY_RESOLVE] = "resolve",
        [RETRY_NEVER] = "never"};

    return (size_t) class < RETRY_CLASS_COUNT ? names[class] : "unknown";
}

enum err_code retry_class_err(enum retry_class class)
{
    switch (class) {
    case RETRY_NONE:
        return ERR_OK;
    case RETRY_CONFIG:
        return ERR_CONFIG;
    case RETRY_NEVER:
        return ERR_REJECT;
    case RETRY_TRANSIENT:
    case RETRY_THROTTLED:
    case RETRY_REFRESH:
    case RETRY_RESOLVE:
    case RETRY_CLASS_COUNT:
        break;
    }
    return ERR_RETRY;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* first * 2^(attempt - 1), or cap where that is more (or does not fit). */
static int64_t double_up(int64_t first, uint32_t attempt, int64_t cap)
{
    uint32_t shift = attempt ? attempt - 1 : 0;

    if (first == 0)
        return 0;
    if (shift >= 63 || first > cap >> shift)
        return cap;
    return first << shift;
}

int64_t retry_delay_ms(const struct retry_policy *p, enum retry_class class,
                       uint32_t attempt, int64_t retry_after_ms, uint64_t random)
{
    int64_t cap = most(p->cap_ms, 0), base = least(most(p->base_ms, 0), cap);
    int64_t first = base, wait = least(most(retry_after_ms, 0), cap);

    if (class == RETRY_NONE || class == RETRY_NEVER)
        return 0;
    if (class == RETRY_THROTTLED)
        first = most(base, 1000);
    if (class == RETRY_CONFIG || class == RETRY_REFRESH) {
        first = base > cap / 10 ? cap : base * 10;
        wait = most(wait, first);
    }
    int64_t range = least(double_up(first, attempt, cap), cap - wait);
    return wait + (int64_t)(random % ((uint64_t)range + 1));
}
