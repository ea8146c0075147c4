# What the guest of the demonstration lets its host ask for: containers of images whose signature was
# verified (that is the image policy's work), with their output readable and their input writable.
# Commands are free here; an owner with one application would list them.
package agent_policy

import rego.v1

default CreateContainerRequest := false

CreateContainerRequest if {
	count(input.OCI.Process.Args) > 0
	input.OCI.Process.User.UID == 0
}

ReadStreamRequest := true

WriteStreamRequest := true
