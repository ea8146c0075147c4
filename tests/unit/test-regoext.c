/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.*, io.jwt.*, providers.aws.sign_req: beside the engine. */
#include "rego-table.h"

/* clang-format off: one row a line */
/* hashes and MACs */
static const struct rego_row hash_rows[] = {
	{"crypto.md5(\"a\")", "\"0cc175b9c0f1b6a831c399e269772661\"", NULL},
	{"crypto.sha1(\"a\")", "\"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8\"", NULL},
	{"crypto.sha256(\"\")",
		"\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"", NULL},
	{"crypto.hmac.md5(\"m\",\"k\")", "\"ed7e724d3a91554aaa2043041d9c5305\"", NULL},
	{"crypto.hmac.sha512(\"m\",\"\")",
		"\"f72650354dfefcfa413f5ea4dde58b89eb2db40f6da4978ad2ce870cd135af9b789d5b680ae053d2313cafb00f2a133f8fe3e53ebaf3a2b779a3615de55f73c5\"",
		NULL},
	{"crypto.hmac.equal(\"a\",\"a\")", "true", NULL},
	{"crypto.hmac.equal(\"a\",\"b\")", "false", NULL},
};

/* what is no certificate, request or key */
static const struct rego_row x509_rows[] = {
	{"crypto.x509.parse_certificates(\"YmFkc3RyaW5n\")", NULL, "x509: malformed certificate"},
	{"crypto.x509.parse_certificates(\"foobar\")", NULL, "illegal base64 data at input byte 4"},
	{"crypto.x509.parse_certificates(\"\")", "[]", NULL},
	{"crypto.x509.parse_certificates(\"-----BEGIN FOO-----\\nYQ==\\n-----END FOO-----\\n\")",
		NULL, "PEM block type is 'FOO', expected CERTIFICATE"},
	{"crypto.x509.parse_and_verify_certificates(\"\")", "[false,[]]", NULL},
	{"crypto.x509.parse_and_verify_certificates(\"x\")", "[false,[]]", NULL},
	{"crypto.x509.parse_certificate_request(\"foobar\")", NULL,
		"illegal base64 data at input byte 4"},
	{"crypto.x509.parse_keypair(\"Zm9v\",\"Zm9v\")", NULL, "x509: malformed certificate"},
	{"crypto.x509.parse_rsa_private_key(\"\")", NULL, "input PEM data was empty"},
	{"crypto.x509.parse_rsa_private_key(\"YmFkc3RyaW5n\")", "null", NULL},
	{"crypto.parse_private_keys(\"nope\")", "[]", NULL},
	{"crypto.parse_private_keys(\"\")", "null", NULL},
};

/* tokens that are malformed, forged, expired, not for us, or good */
static const struct rego_row jwt_rows[] = {
	{"io.jwt.decode(\"a.b\")", NULL, "encoded JWT must have 3 sections, found 2"},
	{"io.jwt.decode(\"ab\")", NULL, "encoded JWT had no period separators"},
	{"io.jwt.decode(\"!!.e30.e30\")", NULL,
		"JWT header had invalid encoding: illegal base64 data at input byte 0"},
	{"io.jwt.decode(\"e30.e30.\")", "[{},{},\"\"]", NULL},
	{"io.jwt.decode(\"e30.W10.\")", NULL, "decoded JSON type was not an Object"},
	{"io.jwt.decode(\"W10.e30.\")", NULL,
		"bad JWT header: decoded JSON type was not an Object"},
	{"io.jwt.decode(\"eyJlbmMiOiJ4In0.e30.\")", NULL,
		"JWT is a JWE object, which is not supported"},
	{"io.jwt.decode_verify(\"e30.e30.\", {})", NULL, "no key constraint"},
	{"io.jwt.decode_verify(\"e30.e30.\", {\"nope\":\"a\"})", NULL,
		"unknown token validation constraint: nope"},
	{"io.jwt.decode_verify(\"e30.e30.\", {\"secret\":1})", NULL,
		"secret constraint: must be a string"},
	{"io.jwt.decode_verify(\"e30.e30.\", {\"secret\":\"a\",\"time\":-1})", NULL,
		"token time constraint: must not be negative"},
	{"io.jwt.decode_verify(\"e30.e30.\", {\"secret\":\"a\"})", "[false,{},{}]", NULL},
	{"io.jwt.decode_verify(\"eyJhbGciOiJub25lIn0.e30.\", {\"secret\":\"a\"})", "[false,{},{}]",
		NULL},
	{"io.jwt.encode_sign({\"alg\":\"HS256\",\"typ\":\"JWT\"}, {\"a\":\"<b>\"}, {\"kty\":\"oct\",\"k\":\"c2VjcmV0\"})",
		"\"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhIjoiXHUwMDNjYlx1MDAzZSJ9.ck9lFFDZFHIM8ZsLKf5i1eyOb5TP8Z8fgYQMwCznl4U\"",
		NULL},
	{"io.jwt.decode_verify(io.jwt.encode_sign({\"alg\":\"HS256\"}, {\"exp\":1}, {\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}), {\"secret\":\"secret\"})",
		"[false,{},{}]", NULL},
	{"io.jwt.decode_verify(io.jwt.encode_sign({\"alg\":\"HS256\"}, {\"exp\":2, \"iss\":\"me\", \"aud\":[\"x\",\"y\"]}, {\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}), {\"secret\":\"secret\",\"time\":1000000000,\"iss\":\"me\",\"aud\":\"y\"})",
		"[true,{\"alg\":\"HS256\"},{\"aud\":[\"x\",\"y\"],\"exp\":2,\"iss\":\"me\"}]",
		NULL},
	{"io.jwt.decode_verify(io.jwt.encode_sign({\"alg\":\"HS256\"}, {\"exp\":2, \"iss\":\"me\", \"aud\":[\"x\",\"y\"]}, {\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}), {\"secret\":\"secret\",\"time\":1000000000,\"iss\":\"me\",\"aud\":\"z\"})",
		"[false,{},{}]", NULL},
	{"io.jwt.decode_verify(io.jwt.encode_sign({\"alg\":\"HS384\"}, {\"nbf\":\"x\"}, {\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}), {\"secret\":\"secret\"})",
		NULL, "nbf value must be a number"},
	{"io.jwt.decode_verify(io.jwt.encode_sign({\"alg\":\"HS512\",\"crit\":[\"x\"],\"x\":1}, {}, {\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}), {\"secret\":\"secret\"})",
		"[false,{},{}]", NULL},
	{"io.jwt.verify_hs256(io.jwt.encode_sign({\"alg\":\"HS256\"}, {}, {\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}), \"secret\")",
		"true", NULL},
	{"io.jwt.verify_hs256(io.jwt.encode_sign({\"alg\":\"HS512\"}, {}, {\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}), \"secret\")",
		"false", NULL},
	{"io.jwt.encode_sign_raw(\"\", \"{}\", `{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}`)", NULL,
		"missing or invalid 'alg' header: cannot parse JSON: cannot parse empty string; unparsed tail: \"\""},
	{"io.jwt.encode_sign_raw(`{\"alg\":\"none\"}`, \"{}\", `{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}`)",
		NULL, "unknown JWS algorithm: none"},
	{"io.jwt.encode_sign_raw(`{\"alg\":\"HS256\"}`, \"x\", `{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}`)",
		NULL, "type is JWT but payload is not JSON"},
	{"io.jwt.encode_sign_raw(`{\"alg\":\"HS256\",\"typ\":\"text/plain\"}`, \"x\", `{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}`)",
		"\"eyJhbGciOiJIUzI1NiIsInR5cCI6InRleHQvcGxhaW4ifQ.eA.MiZUkNqbFu0g2tRzYPxBTqQiiXSJ48sTySUEowPMfBw\"",
		NULL},
	{"io.jwt.encode_sign_raw(`{\"alg\":\"HS256\"}`, \"{}\", `{\"keys\":[]}`)", NULL,
		"no keys found in JWK set"},
};

/* signed requests, and requests that cannot be signed */
static const struct rego_row aws_rows[] = {
	{"providers.aws.sign_req({\"method\":\"GET\",\"url\":\"https://h.example/p a?q=1\",\"headers\":{\"X-B\":\"v\",\"User-Agent\":\"u\"}}, {\"aws_access_key\":\"a\",\"aws_secret_access_key\":\"s\",\"aws_service\":\"ec2\",\"aws_region\":\"r\",\"aws_session_token\":\"t\"}, 1450000000000000000).headers",
		"{\"Authorization\":\"AWS4-HMAC-SHA256 Credential=a/20151213/r/ec2/aws4_request,SignedHeaders=host;x-amz-date;x-amz-security-token;x-b,Signature=770c0efe8cbf980af1b0a189e612bc3d76dbe2a9f74f88f1656526840ad47265\",\"User-Agent\":\"u\",\"X-B\":\"v\",\"host\":\"h.example\",\"x-amz-date\":\"20151213T094640Z\",\"x-amz-security-token\":\"t\"}",
		NULL},
	{"providers.aws.sign_req({\"method\":\"GET\",\"url\":\"https://h.example/\",\"body\":{\"a\":[1]}}, {\"aws_access_key\":\"a\",\"aws_secret_access_key\":\"s\",\"aws_service\":\"s3\",\"aws_region\":\"r\"}, 0).headers",
		"{\"Authorization\":\"AWS4-HMAC-SHA256 Credential=a/19700101/r/s3/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=f53cc28113c806f8477c8b5f106c5ee60e1c52ac9ed72e2454c0f30cfae6bcdf\",\"host\":\"h.example\",\"x-amz-content-sha256\":\"ff5464c34287e9ec505b9f76573a4cb0bd408c96c6537b458fdd993fc7c615ce\",\"x-amz-date\":\"19700101T000000Z\"}",
		NULL},
	{"providers.aws.sign_req({\"method\":\"GET\",\"url\":\"u\",\"x\":1}, {\"aws_access_key\":\"a\",\"aws_secret_access_key\":\"s\",\"aws_service\":\"s3\",\"aws_region\":\"r\"}, 0)",
		NULL, "operand 1 invalid request parameters(s): {\"x\"}"},
	{"providers.aws.sign_req({\"method\":\"GET\"}, {\"aws_access_key\":\"a\",\"aws_secret_access_key\":\"s\",\"aws_service\":\"s3\",\"aws_region\":\"r\"}, 0)",
		NULL, "operand 1 missing required request parameters(s): {\"url\"}"},
	{"providers.aws.sign_req({\"method\":\"GET\",\"url\":\"u\"}, {\"aws_access_key\":\"a\"}, 0)",
		NULL,
		"operand 2 missing required AWS config parameters(s): {\"aws_region\", \"aws_secret_access_key\", \"aws_service\"}"},
	{"providers.aws.sign_req({\"method\":\"GET\",\"url\":\"u\"}, {\"aws_access_key\":1,\"aws_secret_access_key\":\"s\",\"aws_service\":\"s3\",\"aws_region\":\"r\"}, 0)",
		NULL,
		"operand 2 invalid values for required AWS config parameters(s): {\"aws_access_key\"}"},
	{"providers.aws.sign_req({\"method\":\"GET\",\"url\":\"u\"}, {\"aws_access_key\":\"a\",\"aws_secret_access_key\":\"s\",\"aws_service\":\"s3\",\"aws_region\":\"r\"}, 1e30)",
		NULL, "operand 3 could not convert time_ns value into a unix timestamp"},
};

/* clang-format on */

static void test_hash(void **state)
{
	check_rows(hash_rows, ARRAY_COUNT(hash_rows), NULL);
}

static void test_x509(void **state)
{
	check_rows(x509_rows, ARRAY_COUNT(x509_rows), NULL);
}

static void test_jwt(void **state)
{
	check_rows(jwt_rows, ARRAY_COUNT(jwt_rows), NULL);
}

static void test_aws(void **state)
{
	check_rows(aws_rows, ARRAY_COUNT(aws_rows), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_x509),
		cmocka_unit_test(test_jwt),
		cmocka_unit_test(test_aws),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
