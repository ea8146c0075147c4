/* SPDX-License-Identifier: Apache-2.0 */
/* measure-files FIRMWARE KERNEL INITRD CMDLINE [INITDATA]: the prediction, as JSON on stdout. */
#include <stdio.h>

#include "base/fd.h"
#include "evidence/measure.h"

#define FILE_MAX ((size_t)256 << 20)

static int print_measurement(const struct measure_input *in)
{
	struct measurement m;
	struct err e = {0};
	json_t *all = NULL;
	int r = measure_guest(in, &m, &e);
	if (r == 0)
		r = measure_to_json(&m, &all);
	if (r < 0) {
		fprintf(stderr, "measure-files: %s\n", err_text(&e, r));
		return 1;
	}
	json_dumpf(all, stdout, JSON_INDENT(2));
	json_decref(all);
	return 0;
}

int main(int argc, char **argv)
{
	cleanup_with(buf_done) struct buf firmware = buf_init(FILE_MAX);
	cleanup_with(buf_done) struct buf kernel = buf_init(FILE_MAX);
	cleanup_with(buf_done) struct buf initrd = buf_init(FILE_MAX);
	cleanup_with(buf_done) struct buf initdata = buf_init(FILE_MAX);
	struct err e = {0};
	if (argc < 5 || argc > 6)
		return 2;
	int r = file_read(argv[1], FILE_MAX, &firmware, &e);
	if (r == 0)
		r = file_read(argv[2], FILE_MAX, &kernel, &e);
	if (r == 0)
		r = file_read(argv[3], FILE_MAX, &initrd, &e);
	if (r == 0 && argc == 6)
		r = file_read(argv[5], FILE_MAX, &initdata, &e);
	if (r < 0) {
		fprintf(stderr, "measure-files: %s\n", err_text(&e, r));
		return 1;
	}
	struct measure_input in = {buf_slice(&firmware), buf_slice(&kernel), buf_slice(&initrd),
		slice_str(argv[4]), buf_slice(&initdata)};
	return print_measurement(&in);
}
