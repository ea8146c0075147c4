/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#ifndef __ASSEMBLER__
/*
 * Force-included into every source file: calls that have no safe use here are compile errors.
 * Instead: str_copy() and buf_*() for strings, parse_*() for numbers, mkstemp() for files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Macros in a fortified build with clang, which does not poison those. */
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets
#pragma GCC poison atoi atol atoll strtok mktemp tmpnam tempnam
#endif
