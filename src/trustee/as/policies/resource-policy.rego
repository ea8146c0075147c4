# Who may read a resource: the default of the policy `resource-policy`.
#
# input   the claims of the attestation token
# data    { "plugin": "resource", "resource-path": ["repo", "type", "tag"], "query": {} }
# result  allow: only the boolean true allows
#
# Every part of the guest must be affirmed, and none may be the sample attester.
package policy

import rego.v1

default allow := false

allow if {
	data.plugin == "resource"
	count(input.submods) > 0
	count(affirmed) == count(input.submods)
}

affirmed := [name |
	some name, submod in input.submods
	submod["ear.status"] == "affirming"
	not is_sample(submod)
]

is_sample(submod) if submod["ear.veraison.annotated-evidence"].sample

is_sample(submod) if submod["ear.veraison.annotated-evidence"].sampledevice
