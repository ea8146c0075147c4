/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Configuration of husk-as and husk-rvps: Trustee's JSON files, with husk's own keys in an object
 * "husk". Read into the tree that struct kbs_config is made of.
 */
#include "trustee/kbs/config.h"

/**
 * struct service_options - a program and its command line
 * @usage, @about, @help_sockets: of --help
 * @config_file: NULL: no file, only defaults
 * @grpc, @rest: addresses to listen on; NULL: what the file says, then the program's default
 * @certificate, @private_key: both or neither
 */
struct service_options {
	const char *program;
	const char *usage, *about, *help_sockets;
	enum config_service service;
	const char *config_file;
	const char *grpc, *rest;
	const char *default_grpc;
	const char *default_store;
	const char *certificate, *private_key;
	bool check;
};

/** service_main() - read the command line into @o and do what it says. Return: the exit code. */
int service_main(struct service_options *o, int argc, char **argv);
/** service_run() - check or serve, as @o says. Return: the exit code. */
int service_run(const struct service_options *o);
