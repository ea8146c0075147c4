/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/config.h"

#include "base/str.h"
#include "fmt/initdata.h"
#include "guest/agent/policy.h"
#include "guest/attester/bind.h"

static int copy_entry(const struct initdata *in, const char *name, char **ret)
{
	const char *text = initdata_get(in, name);
	*ret = strdup(text ? text : "");
	return *ret ? 0 : -ENOMEM;
}

static int read_entries(
	struct slice text, const struct initdata *in, struct config *config, struct err *reterr)
{
	config->initdata = slice_strdup(text);
	if (config->initdata == NULL)
		return -ENOMEM;
	int r = copy_entry(in, "aa.toml", &config->aa_toml);
	if (r == 0)
		r = copy_entry(in, "cdh.toml", &config->cdh_toml);
	if (r < 0)
		return r;
	const char *policy = initdata_get(in, "policy.rego");
	if (policy == NULL)
		return err_set(reterr, -EACCES,
			"initdata holds no agent policy (policy.rego), so nothing is allowed");
	r = policy_compile(slice_str(policy), &config->policy, reterr);
	return r < 0 ? err_wrap(reterr, r, "agent policy in initdata") : 0;
}

int config_load(struct slice initdata, struct config *ret, struct err *reterr)
{
	cleanup_with(initdata_done) struct initdata in = {0};
	cleanup_with(config_done) struct config config = {0};
	if (initdata.size == 0)
		return err_set(reterr, -EACCES,
			"the host gave no initdata, so there is no agent policy that allows "
			"anything");
	/* The text names its own digest algorithm, so it is parsed before it is measured; nothing
	 * in it takes effect until it is. */
	int r = initdata_parse(initdata, &in, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "initdata");
	r = bind_initdata(initdata, hash_from_name(slice_str(in.algorithm)), reterr);
	if (r < 0)
		return err_wrap(reterr, r, "initdata cannot be measured");
	r = read_entries(initdata, &in, &config, reterr);
	if (r < 0)
		return r;
	*ret = config;
	config = (struct config){0};
	return 0;
}

void config_done(struct config *config)
{
	free(config->initdata);
	free(config->aa_toml);
	free(config->cdh_toml);
	policy_free(config->policy);
	*config = (struct config){0};
}
