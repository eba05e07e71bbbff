/*
 * Criterion is linked with libgit2, which reads all certificate authorities of the machine when it is loaded: in every test,
 * which is a process of its own, by mbedtls, whose search of the file the address sanitizer makes a quarter of the time of
 * a usual test.  Nothing here uses libgit2 for the network; this takes the place of mbedtls' function.
 */
int mbedtls_x509_crt_parse_file(void *chain, const char *path);

int mbedtls_x509_crt_parse_file(void *chain, const char *path)
{
    (void)chain;
    (void)path;
    return 0;
}
