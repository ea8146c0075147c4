/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The user's terminal while a container has it: raw, and put back on every way out. */
#include <stdbool.h>
#include <stdint.h>

/** run_term_raw() - make the terminal on stdin raw. Return: 0, negative errno. */
int run_term_raw(void);
/** run_term_restore() - undo run_term_raw(); nothing when it was not called */
void run_term_restore(void);
/** run_term_size() - size of the terminal on stdout. Return: false when there is none. */
bool run_term_size(uint16_t *ret_rows, uint16_t *ret_cols);
/** run_term_write() - write all of it, waiting for slow readers. Return: 0, negative errno. */
int run_term_write(int fd, const void *data, size_t size);
