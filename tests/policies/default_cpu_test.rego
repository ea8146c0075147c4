# No guest that others can look into is let in by the default policy, whatever else it shows, and no
# TEE is taken at its word: without reference values none of them is affirmed.
package default_cpu_test

import rego.v1

import data.policy

# Each TEE with claims of a debugged guest: what is undefined, or of another type, is no better.
debugged := {
	"tdx": [{"td_attributes": {"debug": true}}],
	"sgx": [{"debug": true}],
	"snp": [
		{"policy_debug_allowed": true, "policy_migrate_ma": false},
		{"policy_debug_allowed": false, "policy_migrate_ma": true},
		{"policy_migrate_ma": false},
		{"policy_debug_allowed": "false", "policy_migrate_ma": "false"},
		{},
	],
	"az-snp-vtpm": [
		{"policy_debug_allowed": "true", "policy_migrate_ma": "false"},
		{"policy_debug_allowed": "false", "policy_migrate_ma": "true"},
		{"policy_migrate_ma": "false"},
		{},
	],
	"az-tdx-vtpm": [{"td_attributes": {"debug": true}}],
	"cca": [{"platform": {"cca-platform-secured": false}}, {"platform": {}}, {}],
	"csv": [{"policy": {"nodbg": 0, "noks": 1, "nosend": 1}}, {"policy": {}}, {}],
}

test_debugged_is_contraindicated[sprintf("%s-%d", [tee, i])] := claims.configuration == 96 if {
	some tee, cases in debugged
	some i, guest in cases
	claims := policy.trust_claims with input as {tee: guest}
}

# A guest that nobody debugs, of which nothing is known: no part affirms what reference values have to.
closed := {
	"tdx": {"td_attributes": {"debug": false}},
	"sgx": {"debug": false},
	"snp": {"policy_debug_allowed": false, "policy_migrate_ma": false},
	"az-snp-vtpm": {"policy_debug_allowed": "false", "policy_migrate_ma": "false"},
	"az-tdx-vtpm": {"td_attributes": {"debug": false}},
	"cca": {"platform": {"cca-platform-secured": true}},
	"csv": {"policy": {"nodbg": 1, "noks": 1, "nosend": 1}},
	"se": {"tag": "00"},
	"tpm": {},
	"sample": {"svn": "1", "launch_digest": "abcde", "debug": false},
	"unheard-of": {},
}

affirms(number) if {
	number >= 2
	number <= 31
}

test_nothing_runs_unknown[tee] := affirms(claims.executables) == false if {
	some tee, guest in closed
	claims := policy.trust_claims with input as {tee: guest}
}

default affirms(_) := false

test_nothing_at_all := claims.executables == 33 if {
	claims := policy.trust_claims with input as {}
	claims.hardware == 97
	claims.configuration == 36
}
