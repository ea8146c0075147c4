/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the files of the messages. */
#include <protobuf-c/protobuf-c.h>

#include "trustee/proto/proto.h"

/* Within PROTO_MEMORY_MAX. Return: released with proto_message_free(); NULL with @reterr set. */
ProtobufCMessage *proto_unpack(
	const ProtobufCMessageDescriptor *type, struct slice in, struct err *reterr);
void proto_message_free(ProtobufCMessage *m);
DEFINE_CLEANUP(ProtobufCMessage *, proto_message_free);
void proto_pack(struct buf *out, const ProtobufCMessage *m);
