# How the evidence of a CPU is appraised: the policy `default_cpu`.
#
# input   { "<tee>": claims, "report_data", "runtime_data_claims", "init_data", "init_data_claims" }
# result  trust_claims: an AR4SI trustworthiness vector. Numbers of -1..1 say nothing, 2..31 affirm,
#         32..95 warn, everything else contraindicates. What no rule below recognises stays at its
#         default, which never affirms.
# query_reference_value(name) gives a registered value that has not expired, or null.
package policy

import rego.v1

# 33: memory holds executables that are not recognized.
default executables := 33

# 97: the hardware is not recognized.
default hardware := 97

# 36: the configuration is not available to the verifier.
default configuration := 36

# 0: nothing is asserted.
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

##### TPM

# The quote proves something only when its key is known to live in a TPM.
tpm_ak_trusted if {
	input.tpm.ak_public in query_reference_value("trusted_aks")
}

# Or somebody whom the collateral (`tpm/roots`) names certified it.
tpm_ak_trusted if input.tpm.ak_certified == true

# 2: the instance is recognized; 97: it is not, and it should be.
instance_identity := 2 if {
	input.tpm
	tpm_ak_trusted
}

instance_identity := 97 if {
	input.tpm
	not tpm_ak_trusted
}

# 3: only approved executables were loaded. PCR 0 is the firmware, PCR 8 the command line and the
# init-data, PCR 9 the kernel and the initrd.
executables := 3 if {
	input.tpm
	tpm_ak_trusted
	input.tpm.pcr00 in query_reference_value("tpm_pcr00")
	input.tpm.pcr08 in query_reference_value("tpm_pcr08")
	input.tpm.pcr09 in query_reference_value("tpm_pcr09")
}

# 32, a warning: a TPM measures a machine, it does not shield its memory from the host.
hardware := 32 if {
	input.tpm
	tpm_ak_trusted
}

# 2: the configuration is a known and approved one.
configuration := 2 if {
	input.tpm
	tpm_ak_trusted
	input.tpm.pcr08 in query_reference_value("tpm_pcr08")
}

##### Intel TDX and SGX

# What the quote verifier lets through besides "UpToDate": authentic, but with advice of Intel's that
# was not followed. Revoked platforms do not get here.
intel_tcb_lagging := {
	"SWHardeningNeeded",
	"ConfigurationNeeded",
	"ConfigurationAndSWHardeningNeeded",
	"OutOfDate",
	"OutOfDateConfigurationNeeded",
	"TDRelaunchAdvised",
	"TDRelaunchAdvisedConfigurationNeeded",
}

intel_vendor := "939a7233f79c4ca9940a0db3957f0607"

# A reference value may be a list, or one value.
accepted(value, name) if value in query_reference_value(name)

accepted(value, name) if {
	# Without this an absent reference value, null, would accept null.
	not is_null(value)
	value == query_reference_value(name)
}

tdx_is_known if {
	input.tdx.quote.header.tee_type == "81000000"
	input.tdx.quote.header.vendor_id == intel_vendor
	accepted(input.tdx.quote.body.mr_td, "mr_td")
	input.tdx.collateral_expiration_status == "0"
}

# 2: genuine, supported, recognized hardware with the firmware that was approved.
hardware := 2 if {
	tdx_is_known
	input.tdx.tcb_status == "UpToDate"
}

# 32, a warning: genuine, with known vulnerabilities.
hardware := 32 if {
	tdx_is_known
	input.tdx.tcb_status in intel_tcb_lagging
}

tdx_registers_match if {
	accepted(input.tdx.quote.body.rtmr_1, "rtmr_1")
	accepted(input.tdx.quote.body.rtmr_2, "rtmr_2")
}

tdx_kernel_matches if {
	some event in input.tdx.uefi_event_logs
	event.type_name == "EV_EFI_BOOT_SERVICES_APPLICATION"
	"File(kernel)" in event.details.device_paths
	accepted(event.digests[0].digest, "tdvfkernel")
}

tdx_parameters_match if {
	some event in input.tdx.uefi_event_logs
	event.type_name == "EV_EVENT_TAG"
	event.details.string == "LOADED_IMAGE::LoadOptions"
	accepted(event.digests[0].digest, "tdvfkernelparams")
}

# 3: only approved executables, and the kernel and its parameters are known one by one; 4: the same
# by the registers alone (boot loaders that leave no such events).
executables := 3 if {
	input.tdx
	tdx_registers_match
	tdx_kernel_matches
	tdx_parameters_match
} else := 4 if {
	input.tdx
	tdx_registers_match
}

# 2: approved; 96: a debugger can read the guest's memory.
configuration := 2 if {
	input.tdx.td_attributes.debug == false
	accepted(input.tdx.quote.body.xfam, "xfam")
}

configuration := 96 if input.tdx.td_attributes.debug == true

sgx_is_known if {
	input.sgx.header.vendor_id == intel_vendor
	input.sgx.collateral_expiration_status == "0"
}

hardware := 2 if {
	sgx_is_known
	input.sgx.tcb_status == "UpToDate"
}

hardware := 32 if {
	sgx_is_known
	input.sgx.tcb_status in intel_tcb_lagging
}

# 3: this very enclave; 4: an enclave by an approved signer, product and version.
executables := 3 if {
	accepted(input.sgx.body.mr_enclave, "sgx_mr_enclave")
} else := 4 if {
	accepted(input.sgx.body.mr_signer, "sgx_mr_signer")
	accepted(input.sgx.body.isv_prod_id, "sgx_isv_prod_id")
	accepted(input.sgx.body.isv_svn, "sgx_isv_svn")
}

configuration := 2 if {
	input.sgx.debug == false
	accepted(input.sgx.body["attributes.xfrm"], "sgx_xfrm")
}

configuration := 96 if input.sgx.debug == true

##### AMD SEV-SNP

# 3: the guest was launched from an approved firmware, kernel, initrd and command line.
executables := 3 if accepted(input.snp.measurement, "snp_launch_measurement")

# 2: a genuine processor whose firmware has an approved level.
hardware := 2 if {
	accepted(input.snp.reported_tcb_bootloader, "snp_bootloader")
	accepted(input.snp.reported_tcb_microcode, "snp_microcode")
	accepted(input.snp.reported_tcb_snp, "snp_snp_svn")
	accepted(input.snp.reported_tcb_tee, "snp_tee_svn")
}

snp_is_closed if {
	input.snp.policy_debug_allowed == false
	input.snp.policy_migrate_ma == false
}

# 2: every part of the configuration is approved; 3: nobody may debug or migrate the guest; 96: the
# host may decrypt the guest's memory, by debugging it or through a migration agent.
configuration := 2 if {
	snp_is_closed
	accepted(input.snp.platform_smt_enabled, "snp_smt_enabled")
	accepted(input.snp.platform_tsme_enabled, "snp_tsme_enabled")
	accepted(input.snp.policy_abi_major, "snp_guest_abi_major")
	accepted(input.snp.policy_abi_minor, "snp_guest_abi_minor")
	accepted(input.snp.policy_single_socket, "snp_single_socket")
	accepted(input.snp.policy_smt_allowed, "snp_smt_allowed")
} else := 3 if snp_is_closed

configuration := 96 if {
	input.snp
	not snp_is_closed
}

##### Azure's confidential VMs: SNP or TDX below a vTPM whose key the hardware's report vouches for

az_snp := claims if claims := input["az-snp-vtpm"]

az_tdx := claims if claims := input["az-tdx-vtpm"]

# 3: an approved paravisor and firmware, and approved components that the boot loader measured.
executables := 3 if {
	accepted(az_snp.measurement, "measurement")
	accepted(az_snp.tpm.pcr11, "snp_pcr11")
}

hardware := 2 if {
	accepted(az_snp.reported_tcb_bootloader, "tcb_bootloader")
	accepted(az_snp.reported_tcb_microcode, "tcb_microcode")
	accepted(az_snp.reported_tcb_snp, "tcb_snp")
	accepted(az_snp.reported_tcb_tee, "tcb_tee")
}

# These claims are text.
az_snp_is_closed if {
	az_snp.policy_debug_allowed == "false"
	az_snp.policy_migrate_ma == "false"
}

configuration := 2 if {
	az_snp_is_closed
	accepted(az_snp.platform_smt_enabled, "smt_enabled")
	accepted(az_snp.platform_tsme_enabled, "tsme_enabled")
	accepted(az_snp.policy_abi_major, "abi_major")
	accepted(az_snp.policy_abi_minor, "abi_minor")
	accepted(az_snp.policy_single_socket, "single_socket")
	accepted(az_snp.policy_smt_allowed, "smt_allowed")
}

configuration := 96 if {
	az_snp
	not az_snp_is_closed
}

executables := 3 if accepted(az_tdx.tpm.pcr11, "tdx_pcr11")

az_tdx_is_known if {
	az_tdx.quote.header.tee_type == "81000000"
	az_tdx.quote.header.vendor_id == intel_vendor
	accepted(az_tdx.quote.body.mr_td, "mr_td")
	az_tdx.collateral_expiration_status == "0"
}

hardware := 2 if {
	az_tdx_is_known
	az_tdx.tcb_status == "UpToDate"
}

hardware := 32 if {
	az_tdx_is_known
	az_tdx.tcb_status in intel_tcb_lagging
}

configuration := 2 if {
	az_tdx.td_attributes.debug == false
	accepted(az_tdx.quote.body.xfam, "xfam")
}

configuration := 96 if az_tdx.td_attributes.debug == true

##### Arm CCA

# 3: the realm was started from an approved image; the RMM measured it.
executables := 3 if {
	accepted(
		input.cca.realm["cca-realm-initial-measurement"],
		"cca.realm.cca-realm-initial-measurement",
	)
}

cca_firmware_is_known if {
	components := input.cca.platform["cca-platform-sw-components"]
	count(components) > 0
	every component in components {
		accepted(component["measurement-value"], "cca.platform.cca-platform-sw-components")
	}
}

# 2: a platform whose key is known, and all of its firmware is approved. 32, a warning: the key is
# known, the firmware is not.
hardware := 2 if {
	input.cca
	cca_firmware_is_known
} else := 32 if input.cca.platform["cca-platform-secured"] == true

# 2: an approved configuration of a platform that is neither under debug nor decommissioned; 3: the
# latter alone; 96: others can look into realms.
configuration := 2 if {
	input.cca.platform["cca-platform-secured"] == true
	accepted(input.cca.platform["cca-platform-config"], "cca.platform.cca-platform-config")
} else := 3 if input.cca.platform["cca-platform-secured"] == true

configuration := 96 if {
	input.cca
	not input.cca.platform["cca-platform-secured"] == true
}

##### Hygon CSV

# 3: the guest was launched from an approved firmware, kernel, initrd and command line.
executables := 3 if accepted(input.csv.measure, "csv_measure")

# 2: a genuine processor. CSV reports have no level of the firmware below, but for the build, which
# must be approved where there is one.
hardware := 2 if {
	input.csv.version == "1"
} else := 2 if {
	accepted(input.csv.build, "csv_build")
} else := 32 if input.csv

# 2: nobody may debug the guest, share its key or move it; 3: nobody may debug it; 96: the host can
# read its memory.
configuration := 2 if {
	input.csv.policy.nodbg == 1
	input.csv.policy.noks == 1
	input.csv.policy.nosend == 1
} else := 3 if input.csv.policy.nodbg == 1

configuration := 96 if {
	input.csv
	not input.csv.policy.nodbg == 1
}

##### IBM Secure Execution

# The tag is that of the image's header: it covers the whole image and its key.
se_image_is_known if accepted(input.se.tag, "se_tag")

# 3: the approved image runs.
executables := 3 if se_image_is_known

# 2: only a machine whose host key was verified could make the measurement.
hardware := 2 if input.se

# 2: the image's configuration is part of it, and the keys of the machine are the approved ones; 3:
# the image alone. A debugger needs an image that allows it, which has another tag.
configuration := 2 if {
	se_image_is_known
	accepted(input.se.image_phkh, "se_image_phkh")
	accepted(input.se.attestation_phkh, "se_attestation_phkh")
} else := 3 if se_image_is_known

##### Sample: evidence of a test attester that anybody can make. No rule, so it stays contraindicated.

##### What the workload is, from the agent policy inside the init-data

extensions := [{
	"name": "ear.trustee.identifiers",
	"key": -18,
	"value": {"validated": validated_identifiers},
}]

validated_identifiers := object.union_n([container_images_id, container_uids_id])

container_images := [image |
	container := input["init_data_claims"]["agent_policy_claims"]["containers"][_]
	image := container["OCI"]["Annotations"]["io.kubernetes.cri.image-name"]
]

container_images_id := {"container_images": container_images} if {
	count(container_images) > 0
} else := {}

container_uids := [uid |
	container := input["init_data_claims"]["agent_policy_claims"]["containers"][_]
	uid := container["OCI"]["Process"]["User"]["UID"]
]

container_uids_id := {"container_uids": container_uids} if {
	count(container_uids) > 0
} else := {}
