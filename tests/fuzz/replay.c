/*
 * replay.c - runs a fuzz target over its corpus, so that `make check` repeats
 * every input that ever mattered without libFuzzer.
 *
 * The corpus of program fuzz_X is $srcdir/tests/fuzz/corpus/X/; files or
 * folders given as arguments are taken instead. An empty input is always run.
 * Every input is also run cut short at each of its first bytes and with single
 * bits flipped, which costs nothing and finds the plain mistakes.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { INPUT_BYTES_MAX = 16 << 20, VARIANTS_MAX = 512 };

static size_t inputs_run;

/* A copy of its own size, so that the address sanitizer sees every byte read too far. */
static void
run_copy(const uint8_t *data, size_t bytes, size_t flip_bit)
{
    uint8_t *copy = malloc(bytes == 0 ? 1 : bytes);

    if (copy == NULL) {
        fprintf(stderr, "replay: out of memory\n");
        exit(EXIT_FAILURE);
    }
    if (bytes > 0) {
        memcpy(copy, data, bytes);
    }
    if (flip_bit / 8 < bytes) {
        copy[flip_bit / 8] = (uint8_t)(copy[flip_bit / 8] ^ 1u << flip_bit % 8);
    }
    (void)LLVMFuzzerTestOneInput(copy, bytes);
    free(copy);
    inputs_run++;
}

static void
run_variants(const uint8_t *data, size_t bytes)
{
    size_t step = bytes / VARIANTS_MAX + 1;

    run_copy(data, bytes, SIZE_MAX);
    for (size_t cut = 0; cut < bytes; cut += step) {
        run_copy(data, cut, SIZE_MAX);
    }
    for (size_t at = 0; at < bytes; at += step) {
        run_copy(data, bytes, at * 8 + at % 8);
    }
}

static int
run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_BYTES_MAX);
    size_t bytes;
    int failed = 1;

    if (file == NULL || data == NULL) {
        perror(path);
        goto out;
    }
    bytes = fread(data, 1, INPUT_BYTES_MAX, file);
    if (ferror(file) || !feof(file)) {
        fprintf(stderr, "replay: %s: unreadable, or larger than %d bytes\n", path, INPUT_BYTES_MAX);
        goto out;
    }
    run_variants(data, bytes);
    failed = 0;

out:
    if (file != NULL) {
        fclose(file);
    }
    free(data);
    return failed;
}

static int
run_path(const char *path)
{
    struct stat info;
    DIR *folder;
    struct dirent *entry;
    int failed = 0;

    if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode)) {
        return run_file(path);
    }
    folder = opendir(path);
    if (folder == NULL) {
        perror(path);
        return 1;
    }
    while ((entry = readdir(folder)) != NULL) {
        char name[4096];

        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        failed |= run_file(name);
    }
    closedir(folder);
    return failed;
}

int
main(int argc, char **argv)
{
    const char *srcdir = getenv("srcdir");
    const char *name = strstr(argv[0], "fuzz_");
    char corpus[4096];
    int failed = 0;

    run_copy(NULL, 0, SIZE_MAX);
    for (int i = 1; i < argc; i++) {
        failed |= run_path(argv[i]);
    }
    if (argc == 1) {
        for (const char *next = name; next != NULL; next = strstr(next + 1, "fuzz_")) {
            name = next;
        }
        snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/%s", srcdir == NULL ? "." : srcdir,
            name == NULL ? "" : name + strlen("fuzz_"));
        failed |= run_path(corpus);
    }
    printf("%zu inputs\n", inputs_run);
    return failed;
}
