/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where a backend process gets resources from: Vault's KV engine or a cloud vendor's secret store,
 * behind one table.
 */
#include "cloud/cloud.h"
#include "net/sandbox.h"
#include "trustee/kbs/config.h"
#include "trustee/kbs/kv.h"

struct backend;

/** struct backend_ops - @path as on the wire; versions and conditions as in kv.h and cloud.h */
struct backend_ops {
	int (*open)(struct backend *b, const struct kbs_config *c, struct slice roots,
		struct err *reterr);
	int (*get)(struct backend *b, const char *path, int64_t version, struct buf *value,
		int64_t *ret_version, struct err *reterr);
	int (*put)(struct backend *b, const char *path, struct slice value, int64_t cas,
		int64_t *ret_version, struct err *reterr);
	int (*remove)(struct backend *b, const char *path, struct err *reterr);
	void (*close)(struct backend *b);
};

#define BACKEND_FILES_MAX 8

/**
 * struct backend - one of @http (Vault) and @cloud is set
 * @client_key, @password, @client_secret: the text, or what a file:// named; secret
 * @files: folders that must stay readable: credentials in them are replaced while we run
 */
struct backend {
	const struct backend_ops *ops;
	struct kv_settings kv;
	struct http_client *http;
	struct cloud_store *cloud;
	struct buf client_key, password, client_secret;
	char folders[BACKEND_FILES_MAX][4096];
	struct sandbox_path files[BACKEND_FILES_MAX];
	size_t file_count;
};

/** backend_open() - Return: 0, or negative errno; release with backend_close() in every case */
must_check int backend_open(struct backend *b, const struct kbs_config *c, struct err *reterr);
void backend_close(struct backend *b);
/**
 * backend_try() - open and close where resources are, in a child process whose memory goes with it, so
 * that credentials that cannot be read are an error at the start
 * Return: 0, also when resources are in the store; -EINVAL when it fails, after logging why.
 */
must_check int backend_try(const struct kbs_config *c, struct err *reterr);
/**
 * backend_environment() - the variables of our environment that are for @role: those that cloud vendors'
 * programs read, for backends of their stores; no others
 * Return: NULL-terminated, valid until the next call.
 */
char *const *backend_environment(const struct kbs_config *c, const char *role);
