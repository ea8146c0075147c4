# How the evidence of a GPU is appraised: the policy `default_gpu`.
#
# input   { "nvidia": claims }: of NVIDIA's remote service, or the same ones that husk makes itself
# result  trust_claims, as in default_cpu
package policy

import rego.v1

# 33: memory holds executables that are not recognized.
default executables := 33

# 97: the hardware is not recognized.
default hardware := 97

# 36: the configuration is not available to the verifier.
default configuration := 36

default file_system := 0

default instance_identity := 0

default runtime_opaque := 0

default storage_opaque := 0

default sourced_data := 0

trust_claims := {
	"executables": executables,
	"hardware": hardware,
	"configuration": configuration,
	"file-system": file_system,
	"instance-identity": instance_identity,
	"runtime-opaque": runtime_opaque,
	"storage-opaque": storage_opaque,
	"sourced-data": sourced_data,
}

# A chain of certificates is in date and nothing in it is revoked.
sound(chain) if {
	chain["x-nvidia-cert-status"] == "valid"
	chain["x-nvidia-cert-ocsp-status"] == "good"
}

# 2: a genuine device of the kind that it says it is.
hardware := 2 if {
	sound(input.nvidia["x-nvidia-gpu-attestation-report-cert-chain"])
	input.nvidia["x-nvidia-gpu-attestation-report-cert-chain-fwid-match"] == true
	input.nvidia["x-nvidia-gpu-attestation-report-parsed"] == true
	input.nvidia["x-nvidia-gpu-attestation-report-signature-verified"] == true
	input.nvidia["x-nvidia-gpu-arch-check"] == true
}

debug_is_off if {
	input.nvidia.secboot == true
	input.nvidia.dbgstat == "disabled"
}

# 2: versions that were approved; 3: others, of an undebugged device.
configuration := 2 if {
	debug_is_off
	input.nvidia["x-nvidia-gpu-vbios-version"] in query_reference_value("allowed_vbios_versions")
	input.nvidia["x-nvidia-gpu-driver-version"] in query_reference_value("allowed_driver_versions")
} else := 3 if {
	debug_is_off
}

# 3: it runs what NVIDIA released: each measurement is one of a manifest that NVIDIA signed.
executables := 3 if {
	sound(input.nvidia["x-nvidia-gpu-driver-rim-cert-chain"])
	input.nvidia["x-nvidia-gpu-driver-rim-fetched"] == true
	input.nvidia["x-nvidia-gpu-driver-rim-measurements-available"] == true
	input.nvidia["x-nvidia-gpu-driver-rim-schema-validated"] == true
	input.nvidia["x-nvidia-gpu-driver-rim-signature-verified"] == true
	input.nvidia["x-nvidia-gpu-driver-rim-version-match"] == true

	sound(input.nvidia["x-nvidia-gpu-vbios-rim-cert-chain"])
	input.nvidia["x-nvidia-gpu-vbios-rim-fetched"] == true
	input.nvidia["x-nvidia-gpu-vbios-rim-measurements-available"] == true
	input.nvidia["x-nvidia-gpu-vbios-rim-schema-validated"] == true
	input.nvidia["x-nvidia-gpu-vbios-rim-signature-verified"] == true
	input.nvidia["x-nvidia-gpu-vbios-rim-version-match"] == true

	input.nvidia.measres == "success"
}
