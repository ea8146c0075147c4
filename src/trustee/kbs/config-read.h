/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Table-driven reading of the configuration: one row per key. For the files of the configuration only.
 */
#include "trustee/kbs/config.h"

enum key_type { KEY_STR, KEY_BOOL, KEY_U32, KEY_LIST, KEY_TABLE, KEY_TABLES, KEY_UNSUPPORTED };

struct key {
	const char *name;
	enum key_type type;
	size_t offset; /* in struct kbs_config */
	uint32_t min, max, preset;
	const char *text; /* KEY_STR: default; KEY_UNSUPPORTED: what to do instead */
};

struct section {
	const char *name;
	const struct key *keys;
	size_t count;
};

#define AT(member) offsetof(struct kbs_config, member)
#define STR(n, member, dflt)                                                   \
	{                                                                      \
		.name = n, .type = KEY_STR, .offset = AT(member), .text = dflt \
	}
#define BOOL(n, member)                                           \
	{                                                         \
		.name = n, .type = KEY_BOOL, .offset = AT(member) \
	}
#define NUM(n, member, lo, hi, dflt)                                                    \
	{                                                                               \
		.name = n, .type = KEY_U32, .offset = AT(member), .min = lo, .max = hi, \
		.preset = dflt                                                          \
	}
#define LIST(n, member)                                           \
	{                                                         \
		.name = n, .type = KEY_LIST, .offset = AT(member) \
	}
#define TABLE(n)                             \
	{                                    \
		.name = n, .type = KEY_TABLE \
	}
/* An array of tables, which its reader looks into. */
#define TABLES(n)                             \
	{                                     \
		.name = n, .type = KEY_TABLES \
	}
#define UNSUPPORTED(n, why)                                     \
	{                                                       \
		.name = n, .type = KEY_UNSUPPORTED, .text = why \
	}

#define SECTION(n, table) \
	(&(const struct section){.name = n, .keys = table, .count = ARRAY_COUNT(table)})

/**
 * config_check_sockets() - that the addresses can be listened on
 * @ret_beyond: the first one that is not loopback, unless it is set already; may be NULL
 * Return: 0, -EINVAL.
 */
must_check int config_check_sockets(const struct config_strings *list, const char *section,
	const char *key, const char **ret_beyond, struct err *reterr);
/** config_bad() - -EINVAL: "[SECTION] KEY WHAT" */
int config_bad(struct err *reterr, const char *section, const char *key, const char *what);
/**
 * config_read_section() - preset the members of @sec in @c, then read @table over them
 * @table: may be NULL: presets only
 *
 * Return: 0, -EINVAL (unknown key, wrong type, out of range), -EOPNOTSUPP; @reterr names the key.
 */
must_check int config_read_section(
	const struct section *sec, const json_t *table, struct kbs_config *c, struct err *reterr);
/** config_read_admin() - [admin] */
must_check int config_read_admin(const json_t *table, struct kbs_config *c, struct err *reterr);
/** config_read_store() - [storage_backend], and session_storage_type of @root */
must_check int config_read_store(const json_t *root, struct kbs_config *c, struct err *reterr);
/** config_read_resource() - the plugin resource: where resources are */
must_check int config_read_resource(const json_t *item, struct kbs_config *c, struct err *reterr);
/** config_read_plugins() - [[plugins]]; NULL: the plugin resource with what is preset */
must_check int config_read_plugins(const json_t *list, struct kbs_config *c, struct err *reterr);
