/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over the files of its corpus as an ordinary test, and over every truncation of
 * each file, so that a finding kept in the corpus is checked by every test run without libFuzzer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t g_file[1 << 20];

static int run_file(const char *path)
{
	FILE *f = fopen(path, "re");
	if (f == NULL) {
		perror(path);
		return -1;
	}
	size_t size = fread(g_file, 1, sizeof(g_file), f);
	fclose(f);
	/* A copy of the exact size lets ASan see a read one past the end. */
	size_t step = size > 4096 ? size / 1024 : 1;
	for (size_t n = 0; n <= size; n += step) {
		uint8_t *copy = malloc(n > 0 ? n : 1);
		if (copy == NULL)
			return -1;
		memcpy(copy, g_file, n);
		LLVMFuzzerTestOneInput(copy, n);
		free(copy);
	}
	LLVMFuzzerTestOneInput(g_file, size);
	return 0;
}

int main(int argc, char **argv)
{
	int count = 0;
	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		if (d == NULL) {
			perror(argv[i]);
			return 1;
		}
		for (struct dirent *e; (e = readdir(d)) != NULL;) {
			char path[4096];
			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
			if (run_file(path) < 0)
				return 1;
			count++;
		}
		closedir(d);
	}
	printf("%d corpus files\n", count);
	if (count == 0)
		fprintf(stderr,
			"the corpus is empty: a fuzz target without seeds proves nothing\n");
	return count > 0 ? 0 : 1;
}
