
##### Sample, switched on by `insecure_accept_sample = true`. FOR TESTS ONLY: the test attester
##### protects nothing, and these rules make its evidence appraise as if it did.

executables := 3 if {
	input.sample
	input.sample.launch_digest in query_reference_value("launch_digest")
}

hardware := 2 if {
	input.sample
	input.sample.svn in query_reference_value("svn")
	input.sample.platform_version.major == query_reference_value("major_version")

	# null sorts below every number, so an absent value would pass the comparison below.
	is_number(query_reference_value("minimum_minor_version"))
	input.sample.platform_version.minor >= query_reference_value("minimum_minor_version")
}

configuration := 2 if {
	input.sample
	input.sample.debug == false
}
