/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.x509.*, crypto.parse_private_keys. */
#include "rego-fuzz.h"

FUZZ_BUILTINS("crypto.x509.parse_certificates(input.a)",
	"crypto.x509.parse_certificate_request(input.a)", "crypto.parse_private_keys(input.a)",
	"crypto.x509.parse_and_verify_certificates(input.a)",
	"crypto.x509.parse_keypair(input.a, input.b)", "crypto.x509.parse_rsa_private_key(input.a)")
