# How the evidence of one of Hygon's accelerators is appraised: the policy `default_dcu`.
#
# input   { "hygondcu": claims, "report_data", "runtime_data_claims" }
# result  trust_claims, as in default_cpu
package policy

import rego.v1

# 33: memory holds executables that are not recognized.
default executables := 33

# 97: the hardware is not recognized.
default hardware := 97

# 0: nothing is asserted; a report says nothing about the configuration.
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

# 2: a genuine chip, by a chain to Hygon's root.
hardware := 2 if input.hygondcu.body.chip_id

# 3: it runs approved firmware.
executables := 3 if input.hygondcu.body.measure in query_reference_value("dcu_measure")
