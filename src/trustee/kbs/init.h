/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* First run: everything a broker needs, made in one folder. */
#include "base/err.h"

/**
 * struct init_options
 * @dir: folder to make; an existing configuration in it is never overwritten
 * @address: ADDRESS:PORT to listen on
 * @hosts: further names and addresses for the certificate
 */
struct init_options {
	const char *dir;
	const char *address;
	const char *const *hosts;
	size_t host_count;
};

/**
 * init_make() - write keys, certificate, admin token and configuration
 * Return: 0, -EEXIST (the folder has a configuration), other errno; @reterr names the file.
 */
must_check int init_make(const struct init_options *o, struct err *reterr);
