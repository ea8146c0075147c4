# A resource policy for guests that have a virtual TPM and no TEE. Such a guest never appraises better
# than `warning`, because its host can read its memory; use this where that is acceptable, for
# example in a demonstration. Everything that can be measured must be approved.
package policy

import rego.v1

default allow := false

vector := input.submods.cpu0["ear.trustworthiness-vector"]

allow if {
	data.plugin == "resource"
	input.submods.cpu0["ear.veraison.annotated-evidence"].tpm
	input.submods.cpu0["ear.status"] in {"affirming", "warning"}
	vector["instance-identity"] == 2
	vector.executables == 3
	vector.configuration == 2
	vector.hardware <= 32
}
