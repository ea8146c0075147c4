/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Members that an HTTP request may have, for http.send and providers.aws.sign_req; sorted. */
static const char *const rego_http_request_keys[] = {"body", "cache", "cache_ignored_headers",
	"caching_mode", "enable_redirect", "force_cache", "force_cache_duration_seconds",
	"force_json_decode", "force_yaml_decode", "headers", "max_retry_attempts", "method",
	"raise_error", "raw_body", "timeout", "tls_ca_cert", "tls_ca_cert_env_variable",
	"tls_ca_cert_file", "tls_client_cert", "tls_client_cert_env_variable",
	"tls_client_cert_file", "tls_client_key", "tls_client_key_env_variable",
	"tls_client_key_file", "tls_insecure_skip_verify", "tls_server_name",
	"tls_use_system_certs", "url"};
