# How the evidence of a whole machine of GPUs and switches is appraised: the policy `default_ppcie`.
#
# input   { "nvidia": claims }: of NVIDIA's remote service, or the same ones that husk makes itself
# result  trust_claims, as in default_cpu
package policy

import rego.v1

# Each device has a subject of its own; this one says that they belong together, and it exists only
# when they do. So there is nothing to say about hardware and executables here.
default executables := 0

default hardware := 0

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

# 2: eight GPUs that see each other through the same four switches.
configuration := 2 if {
	input.nvidia.gpu_count == 8
	input.nvidia.switch_count == 4
}
