/* SPDX-License-Identifier: Apache-2.0 */
/* COSE_Key (RFC 9052, section 7; RFC 9053, section 7). */
#include "crypto/cose.h"

#define KEY_TYPE 1
#define KEY_OPS 4
#define KEY_CURVE (-1)
#define KEY_X (-2)
#define KEY_Y (-3)
#define KEY_D (-4)
#define TYPE_OKP 1
#define TYPE_EC2 2
#define OP_VERIFY 2
#define CURVE_ED25519 6

static const struct {
	int64_t curve;
	enum key_type type;
	size_t size;
} g_curves_of_cose[] = {{1, KEY_P256, 32}, {2, KEY_P384, 48}, {3, KEY_P521, 66}};

static int check_ops(const struct cbor *map, struct err *reterr)
{
	struct cbor ops, op;
	int64_t number;

	if (cbor_find(map, KEY_OPS, &ops) < 0)
		return 0;
	for (struct slice rest = ops.bytes; ops.kind == CBOR_ARRAY && cbor_next(&rest, &op) == 0;) {
		if (cbor_int(&op, &number) == 0 && number == OP_VERIFY)
			return 0;
	}
	return err_set(reterr, -EBADMSG, "the COSE key is not for verifying");
}

static int ec2_key(const struct cbor *map, int64_t curve, struct pkey **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf point = buf_init(256);
	struct cbor x, y;

	for (size_t i = 0; i < ARRAY_COUNT(g_curves_of_cose); i++) {
		size_t size = g_curves_of_cose[i].size;
		if (g_curves_of_cose[i].curve != curve)
			continue;
		if (cbor_find(map, KEY_X, &x) < 0 || x.kind != CBOR_BYTES || x.bytes.size != size)
			return err_set(
				reterr, -EBADMSG, "x of the COSE key has not %zu bytes", size);
		if (cbor_find(map, KEY_Y, &y) < 0 || y.kind != CBOR_BYTES || y.bytes.size != size)
			return err_set(reterr, -EBADMSG,
				"y of the COSE key has not %zu bytes (compressed points are not "
				"accepted)",
				size);
		buf_put_u8(&point, 4);
		buf_put_slice(&point, x.bytes);
		buf_put_slice(&point, y.bytes);
		int r = buf_error(&point);
		if (r == 0)
			r = pkey_from_ec_point(g_curves_of_cose[i].type, buf_slice(&point), ret);
		return r < 0 ? err_set(reterr, r, "the COSE key is no point of its curve") : 0;
	}
	return err_set(reterr, -EOPNOTSUPP, "the curve of the COSE key is not supported");
}

int cose_key_parse(struct slice in, struct pkey **ret, struct err *reterr)
{
	int64_t type = 0, curve = 0;
	struct cbor map, found;

	int r = cbor_parse(in, &map, reterr);
	if (r < 0)
		return r;
	if (map.kind != CBOR_MAP || cbor_find(&map, KEY_TYPE, &found) < 0 ||
		cbor_int(&found, &type) < 0 || cbor_find(&map, KEY_CURVE, &found) < 0 ||
		cbor_int(&found, &curve) < 0)
		return err_set(reterr, -EBADMSG, "the COSE key has no type or no curve");
	if (cbor_find(&map, KEY_D, &found) == 0)
		return err_set(reterr, -EBADMSG, "the COSE key holds its private part");
	r = check_ops(&map, reterr);
	if (r < 0)
		return r;
	if (type == TYPE_EC2)
		return ec2_key(&map, curve, ret, reterr);
	if (type != TYPE_OKP || curve != CURVE_ED25519 || cbor_find(&map, KEY_X, &found) < 0)
		return err_set(reterr, -EOPNOTSUPP, "the type of the COSE key is not supported");
	r = pkey_from_ed25519(found.kind == CBOR_BYTES ? found.bytes : SLICE_EMPTY, ret);
	return r < 0 ? err_set(reterr, r, "the COSE key is no Ed25519 key") : 0;
}
