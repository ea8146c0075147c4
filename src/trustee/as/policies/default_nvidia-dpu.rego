# How the evidence of a DPU is appraised: the policy `default_nvidia-dpu`.
#
# input   { "nvidia-dpu" or "nvidiadpu": claims }
# result  trust_claims, as in default_cpu
package policy

import rego.v1

# 33: memory holds executables that are not recognized.
default executables := 33

# 97: the hardware is not recognized.
default hardware := 97

# 0: nothing is asserted. Evidence of DPUs says nothing about their configuration.
default configuration := 0

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

dpu := input["nvidia-dpu"]

dpu := input.nvidiadpu

# 2: a genuine device of an approved kind. Its chain was verified before.
hardware := 2 if {
	dpu.device_class in query_reference_value("nvidia_dpu_classes")
}

# 3: its firmware, all layers together, is an approved one.
executables := 3 if {
	dpu.firmware_layers_count > 0
	dpu.accumulated_fwid in query_reference_value("nvidia_dpu_fwids")
}

# 2: the device itself is known.
instance_identity := 2 if {
	dpu.device_serial in query_reference_value("nvidia_dpu_serials")
}
