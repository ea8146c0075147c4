# Run with each default policy of devices: a debugged device, one of which nothing is known, and none at
# all are affirmed in nothing.
package default_device_test

import rego.v1

import data.policy

nvidia := {
	"x-nvidia-gpu-vbios-version": "96.00.5E.00.01",
	"x-nvidia-gpu-driver-version": "535.86.09",
	"x-nvidia-switch-bios-version": "96.10.55.00.01",
}

unworthy := {
	"debugged": {"nvidia": object.union(nvidia, {"secboot": true, "dbgstat": "enabled"})},
	"insecure boot": {"nvidia": object.union(nvidia, {"secboot": false, "dbgstat": "disabled"})},
	"debug unknown": {"nvidia": object.union(nvidia, {"secboot": true})},
	"null": {"nvidia": {"secboot": null, "dbgstat": null}},
	"another device": {"hygondcu": {}, "nvidia-dpu": {}, "unheard-of": {}},
	"sample": {"sampledevice": {"svn": "1"}},
	"nothing": {},
}

affirmed(claims) := {name | some name, number in claims; number >= 2; number <= 31}

test_unworthy[name] := affirmed(claims) == set() if {
	some name, device in unworthy
	claims := policy.trust_claims with input as device
}
