#include "shared/convert.h"

#include "shared/digest.h"

#include <stdio.h>
#include <string.h>

static enum err_code add(const struct config *c, const struct config_entry *entry,
                         struct convert *ret, struct err *e)
{
    int shown = (int)(entry->len < 60 ? entry->len : 60);
    const struct config_converter *one =
        entry->weight == 0 ? config_find_converter(c, entry->name, entry->len) : NULL;

    if (!one)
        return err_set(e, ERR_REJECT, "there is no [converter %.*s]", shown,
                       entry->name);
    if (ret->count == CONVERT_MAX)
        return err_set(e, ERR_REJECT, "at most %d converters are allowed", CONVERT_MAX);
    ret->items[ret->count++] = one;
    if (*one->type)
        ret->type = one->type;
    if (*one->extension)
        ret->extension = one->extension;
    return ERR_OK;
}

enum err_code convert_find(const struct config *c, const char *list, size_t len,
                           struct convert *ret, struct err *e)
{
    char text[CONVERT_MAX * (CONFIG_NAME_MAX + 2) + 1];
    struct convert found = {.type = "", .extension = ""};
    struct config_entry entry;
    const char *at = text;

    if (len >= sizeof text || memchr(list, '\0', len))
        return err_set(e, ERR_REJECT, "at most %d names of converters are allowed",
                       CONVERT_MAX);
    memcpy(text, list, len);
    text[len] = '\0';
    while (config_next_entry(&at, &entry))
        if (add(c, &entry, &found, e))
            return e->code;
    *ret = found;
    return ERR_OK;
}

void convert_format(const struct convert *convert,
                    char ret[static JOB_CONVERT_TEXT_MAX + 1])
{
    size_t used = 0;

    for (size_t i = 0; i < convert->count; i++) {
        size_t len = strlen(convert->items[i]->name);
        if (i > 0)
            ret[used++] = ',';
        memcpy(ret + used, convert->items[i]->name, len);
        used += len;
    }
    ret[used] = '\0';
}

bool convert_is_extension(const char *s)
{
    size_t len = strlen(s);

    return len >= 2 && len <= CONVERT_EXTENSION_MAX && s[0] == '.' &&
           strspn(s + 1, "abcdefghijklmnopqrstuvwxyz0123456789") == len - 1;
}

/* 8-4-4-4-12 digits of the first 16 bytes, version 8, variant 2. */
static void format_uuid(const uint8_t sum[static 16], char ret[static ID_UUID_LEN + 1])
{
    size_t used = 0;

    for (size_t i = 0; i < 16; i++) {
        uint8_t byte = sum[i];
        if (i == 6)
            byte = (uint8_t)(0x80 | (byte & 0x0f));
        else if (i == 8)
            byte = (uint8_t)(0x80 | (byte & 0x3f));
        if (i == 4 || i == 6 || i == 8 || i == 10)
            ret[used++] = '-';
        (void)snprintf(ret + used, 3, "%02x", byte); /* fits */
        used += 2;
    }
}

static enum err_code derive(const struct job *j, char ret[static ID_UUID_LEN + 1],
                            struct err *e)
{
    struct digest_sha256 d = DIGEST_SHA256_INIT;
    uint8_t sum[DIGEST_SHA256_BYTES];
    const char *convert = j->convert ? j->convert : "";
    enum err_code code = digest_sha256_init(&d, e);

    if (code == ERR_OK) {
        digest_sha256_update(&d, j->id.uuid.text, ID_UUID_LEN + 1);
        digest_sha256_update(&d, convert, strlen(convert));
        code = digest_sha256_final(&d, sum, e);
    }
    digest_sha256_release(&d);
    if (code == ERR_OK)
        format_uuid(sum, ret);
    return code;
}

enum err_code convert_key(const struct job *j, const char *extension,
                          char ret[static CONVERT_KEY_SIZE], struct err *e)
{
    char usual[ID_UUID_LEN + 10], uuid[ID_UUID_LEN + 1];

    if (derive(j, uuid, e))
        return e->code;
    job_default_key(j, usual);
    if (!*extension)
        extension = usual + ID_UUID_LEN;
    (void)snprintf(ret, CONVERT_KEY_SIZE, "%s%s", uuid, extension); /* fits */
    return ERR_OK;
}

bool convert_owns_key(const struct job *j)
{
    char uuid[ID_UUID_LEN + 1];
    struct err e = ERR_INIT;

    if (!j->key)
        return false;
    if (strstr(j->key, j->id.uuid.text))
        return true;
    return j->convert && derive(j, uuid, &e) == ERR_OK && strstr(j->key, uuid) != NULL;
}
