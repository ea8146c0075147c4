/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The processes of husk-kbs, after OpenSSH's privilege separation:
 *
 *   supervisor  starts the others, restarts verifiers, ends everything together
 *   front       sockets, TLS, HTTP; no keys but TLS's own, no store
 *   vault       store, token key, sessions, decisions; no network
 *   verifier    evidence and policies; nothing else at all
 *   fetcher     asks vendors for collateral, NRAS, and issuers of tokens for their keys, when it is
 *               to; nothing but the network
 *   backend     resources that are in Vault KV or a cloud vendor's store; the network and the credentials
 *               for it
 *   external    calls to plugins that are other programs; the network
 *   hsm         a PKCS#11 module and its PIN; what the module needs, and nothing else
 *   signer      the token key when it is in a PKCS#11 token or a TPM; as hsm
 *   remote      calls to other services, when there are any; no store, no key but its API key
 *
 * Each role is a fork and exec of the same program, so that its address space is fresh. It finds
 * its configuration in a sealed memory file and its sockets at fixed descriptors.
 */
#include "base/err.h"
#include "trustee/kbs/config.h"

enum role_fd {
	ROLE_FD_CONFIG = 3,  /* JSON, memfd */
	ROLE_FD_LINK = 4,    /* front: vault; vault: front; verifier, remote, fetcher: vault */
	ROLE_FD_CONTROL = 5, /* front: reports its ports; vault: receives verifiers' sockets */
};

#define WORKERS_MAX                                                            \
	(64 + CONFIG_REMOTES_MAX + CONFIG_BACKENDS_MAX + CONFIG_EXTERNAL_MAX + \
		CONFIG_BACKENDS_MAX + 1 + NRAS_WORKERS)
static inline unsigned role_workers(const struct kbs_config *c)
{
	unsigned n = 0;

	for (int kind = 0; kind < WORKER_KINDS_; kind++)
		n += kbs_config_workers(c, (enum worker_kind)kind);
	return n;
}
/** role_worker_name() - the role of worker @index */
const char *role_worker_name(const struct kbs_config *c, unsigned index);

#define CONTROL_READY 0xFFFFFFFFu   /* "tag" of the message that says a role is up */
#define CONTROL_RELOAD 0xFFFFFFFEu  /* with a descriptor of a struct reload's JSON */
#define CONTROL_CHECK 0xFFFFFFFDu   /* likewise, for the front: would it? */
#define CONTROL_REFUSED 0xFFFFFFFCu /* the answer to these, when it is not CONTROL_READY */

/* Each returns the exit code of its process. */
int role_front(const struct kbs_config *c);
int role_vault(const struct kbs_config *c);
int role_verifier(const struct kbs_config *c);
int role_remote(const struct kbs_config *c);
int role_fetcher(const struct kbs_config *c);
int role_backend(const struct kbs_config *c);
int role_external(const struct kbs_config *c);
int role_hsm(const struct kbs_config *c);
int role_signer(const struct kbs_config *c);
/** signer_print_public() - the public half of a token key in a device, PEM on stdout */
must_check int signer_print_public(const char *uri, struct err *reterr);
/**
 * struct role_source - what is read again on SIGHUP
 * @load: as kbs_config_load()
 * @name: for the log
 */
struct role_source {
	int (*load)(const void *cookie, struct kbs_config *ret, struct err *reterr);
	const void *cookie;
	const char *name;
};
int role_supervisor(const struct kbs_config *c, const struct role_source *source);

/** role_main() - play the role of that name, as the supervisor's child. Return: the exit code. */
int role_main(const char *role);
/** role_notify() - tell the service manager, as sd_notify(3) does; nothing without one */
void role_notify(const char *state);
/** role_log() - log as configured, under the name husk-SERVICE-@role; NULL: the supervisor's */
void role_log(const struct kbs_config *c, const char *role);
/** role_warn() - log what the configuration makes unsafe */
void role_warn(const struct kbs_config *c);

/** role_confine() - enter the sandbox, or say that it was switched off */
struct sandbox_path;
must_check int role_confine(const struct kbs_config *c, const char *role,
	const struct sandbox_path *paths, size_t count, unsigned groups, struct err *reterr);
/** role_confine_network() - likewise, of a role that connects to servers and looks up their names
 * @more: paths to read besides, at most ROLE_PATHS_MAX; missing ones are an error */
#define ROLE_PATHS_MAX 16
must_check int role_confine_network(const struct kbs_config *c, const char *role,
	const struct sandbox_path *more, size_t count, struct err *reterr);

/**
 * struct reload - what the supervisor sends on SIGHUP
 * @config: checked by the supervisor
 * @certificate, @private_key, @client_ca: PEM text, for the front only; "" where there is none
 */
struct reload {
	struct kbs_config *config; /* owned */
	json_t *root;		   /* owned */
	const char *certificate, *private_key, *client_ca;
};
/** role_reload_read() - from the descriptor that came with CONTROL_RELOAD, which is consumed */
must_check int role_reload_read(int fd, struct reload *ret, struct err *reterr);
void role_reload_done(struct reload *r);
/** role_ready() - tell the supervisor that this role serves */
must_check int role_ready(void);
/** role_answer() - tell the supervisor whether its last message was followed; @result: 0 or errno */
must_check int role_answer(int result);
