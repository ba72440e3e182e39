// SPDX-License-Identifier: GPL-2.0-or-later
// Runs one fuzz target over its stored corpus, so the ordinary build keeps every input that ever mattered working. The
// corpus of build/replay/fuzz_NAME is tests/fuzz/corpus/NAME unless files are named; an empty one is a failure.
#include <assert.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A fuzzer's inputs are small; a file that is larger does not belong into a corpus.
enum { INPUT_MAX = 1 << 20 };

static uint8_t input[INPUT_MAX];

static bool replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    size_t size = fread(input, 1, sizeof(input), file);
    fclose(file);

    // An own block of exactly the input's size lets a sanitiser see a read past its end.
    uint8_t *exact = malloc(size + (size == 0));
    if (exact == NULL)
        abort();
    memcpy(exact, input, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return true;
}

static int replay_corpus(const char *name)
{
    struct dirent **entries;
    int count, replayed = 0;

    if (chdir("tests/fuzz/corpus") < 0 || chdir(name) < 0 || (count = scandir(".", &entries, NULL, alphasort)) < 0) {
        perror(name);
        return 0;
    }
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.')
            replayed += replay(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return replayed;
}

int main(int argc, char **argv)
{
    int replayed = 0;

    for (int i = 1; i < argc; i++)
        replayed += replay(argv[i]);
    if (argc == 1) {
        const char *name = strstr(argv[0], "fuzz_");
        assert(name != NULL);
        replayed = replay_corpus(name + strlen("fuzz_"));
    }
    printf("%d inputs replayed\n", replayed);
    return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
