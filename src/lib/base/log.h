/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Structured log records of programs (libraries log nothing above debug). One line a record:
 *   text: 2026-01-02T03:04:05Z info kbs.attest.refused id=... reason="..."
 *   JSON: {"time":...,"level":"info","event":"kbs.attest.refused","id":"...","reason":"..."}
 * Values are quoted and escaped, so an untrusted string cannot forge a record. There is no field
 * type for secrets: never pass one.
 */
#include "base/compiler.h"
#include "base/slice.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_field {
	const char *name;
	enum { LOG_FIELD_STR, LOG_FIELD_U64, LOG_FIELD_I64, LOG_FIELD_HEX } type;
	struct slice bytes;
	uint64_t u64;
	int64_t i64;
};

#define LOG_STR(n, s) \
	((struct log_field){.name = (n), .type = LOG_FIELD_STR, .bytes = slice_str(s)})
#define LOG_SLICE(n, s) ((struct log_field){.name = (n), .type = LOG_FIELD_STR, .bytes = (s)})
#define LOG_HEX(n, s) ((struct log_field){.name = (n), .type = LOG_FIELD_HEX, .bytes = (s)})
#define LOG_U64(n, v) ((struct log_field){.name = (n), .type = LOG_FIELD_U64, .u64 = (v)})
#define LOG_I64(n, v) ((struct log_field){.name = (n), .type = LOG_FIELD_I64, .i64 = (v)})

/**
 * log_setup() - choose the sink; the default is text on fd 2 at level info
 * @program: put into each record when not NULL (borrowed for ever)
 */
void log_setup(const char *program, enum log_level level, bool json, int fd);
bool log_enabled(enum log_level level);
void log_record(
	enum log_level level, const char *event, const struct log_field *fields, size_t count);

#define log_event(level, event, ...)                                                     \
	do {                                                                             \
		if (log_enabled(level)) {                                                \
			const struct log_field log_fields_[] = {__VA_ARGS__};            \
			log_record(level, event, log_fields_, ARRAY_COUNT(log_fields_)); \
		}                                                                        \
	} while (0)
#define log_error(event, ...) log_event(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) log_event(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...) log_event(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_event(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
