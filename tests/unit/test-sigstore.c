/* SPDX-License-Identifier: Apache-2.0 */
/* Sigstore bundles of the shared vectors: every part altered, other policies, trusted roots. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "oci/sigstore.h"
#include "vectors.h"

#define SUBJECT                                                                                   \
	"https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/" \
	"workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
#define ISSUER "https://token.actions.githubusercontent.com"

struct sample {
	json_t *item, *bundle;
	struct buf artifact;
	struct sigstore_root *root;
};

static void load(struct sample *s, const char *name)
{
	cleanup_with(buf_done) struct buf lines = buf_init(0), root = buf_init(0);

	*s = (struct sample){.artifact = buf_init(0)};
	vectors_read("sigstore-bundle", "conformance", "cases.jsonl", &lines);
	vectors_read("sigstore-bundle", "conformance", "a.txt", &s->artifact);
	for (char *at = (char *)lines.data, *end; !s->item && (end = strchr(at, '\n'));
		at = end + 1) {
		json_t *item = NULL;
		assert_int_equal(json_parse(slice_of(at, (size_t)(end - at)), 0, &item, NULL), 0);
		if (streq(json_string_value(json_object_get(item, "name")), name))
			s->item = item;
		else
			json_decref(item);
	}
	assert_non_null(s->item);
	s->bundle = json_object_get(s->item, "bundle.sigstore.json");
	const json_t *own = json_object_get(s->item, "trusted_root.json");
	if (own)
		assert_int_equal(json_write(own, &root), 0);
	else
		buf_put_slice(&root, sigstore_public_good());
	assert_int_equal(sigstore_root_parse(buf_slice(&root), &s->root, NULL), 0);
}

static void sample_done(struct sample *s)
{
	json_decref(s->item);
	buf_done(&s->artifact);
	sigstore_root_free(s->root);
}

static int verify_as(const struct sample *s, const char *subject, const char *issuer, int64_t now)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	const struct fulcio_identity who = {subject, issuer};
	const struct sigstore_policy p = {s->root, &who, NULL};

	assert_int_equal(json_write(s->bundle, &text), 0);
	return sigstore_verify(buf_slice(&text), buf_slice(&s->artifact), &p, now, NULL);
}

static int verify(const struct sample *s)
{
	return verify_as(s, SUBJECT, ISSUER, clock_unix_s());
}

static unsigned g_changed;

/* Changes one bit of each text of @o and all below, in turn. */
static void change_texts(struct sample *s, json_t *o, const char *free_name)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe (o, next, name, value) {
		if (json_is_object(value))
			change_texts(s, value, free_name);
		for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++) {
			if (json_is_object(json_array_get(value, i)))
				change_texts(s, json_array_get(value, i), free_name);
		}
		if (!json_is_string(value) || strstr(free_name, name))
			continue;
		cleanup(free_ptr) char *old = strdup(json_string_value(value));
		size_t size = strlen(old);
		for (size_t i = 0; i<size; i += size> 400 ? 29 : 7) {
			cleanup(free_ptr) char *text = strdup(old);
			text[i] = (char)(text[i] == 'A' ? 'B' : 'A');
			if (text[i] == old[i])
				continue;
			json_string_set(value, text);
			if (verify(s) == 0)
				fail_msg("%s: byte %zu changed", name, i);
			g_changed++;
		}
		json_string_set(value, old);
	}
}

static void test_every_part(void **state)
{
	static const struct {
		const char *name, *free_name;
	} cases[] = {{"happy-path-v0.3", "-"}, {"happy-path-intoto-in-dsse-v3", "-"},
		/* Its position in the log is what the proof says; time-stamps carry certificates. */
		{"rekor2-happy-path", "logIndex signedTimestamp"}};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup_with(sample_done) struct sample s;
		load(&s, cases[i].name);
		assert_int_equal(verify(&s), 0);
		g_changed = 0;
		change_texts(&s, s.bundle, cases[i].free_name);
		assert_true(g_changed > 100);
		assert_int_equal(verify(&s), 0);
		s.artifact.data[0] ^= 1;
		assert_int_equal(verify(&s), -EKEYREJECTED);
	}
}

static void test_policies(void **state)
{
	cleanup_with(sample_done) struct sample s;
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup(pkey_free) struct pkey *key = NULL;

	load(&s, "happy-path-v0.3");
	int64_t now = clock_unix_s();
	assert_int_equal(verify_as(&s, SUBJECT, ISSUER, now), 0);
	assert_int_equal(verify_as(&s, SUBJECT "x", ISSUER, now), -EACCES);
	assert_int_equal(verify_as(&s, "", ISSUER, now), -EACCES);
	assert_int_equal(verify_as(&s, SUBJECT, "https://accounts.google.com", now), -EACCES);
	/* Before it was made. */
	assert_int_equal(verify_as(&s, SUBJECT, ISSUER, 1710869185), -EKEYREJECTED);
	assert_int_equal(verify_as(&s, SUBJECT, ISSUER, 1710869186), 0);
	/* No signer to compare with; a key where a certificate signed. */
	assert_int_equal(json_write(s.bundle, &text), 0);
	assert_int_equal(pkey_generate(KEY_P256, 0, &key), 0);
	const struct sigstore_policy nobody = {s.root, NULL, NULL}, keyed = {s.root, NULL, key};
	assert_int_equal(
		sigstore_verify(buf_slice(&text), buf_slice(&s.artifact), &nobody, now, NULL),
		-EACCES);
	assert_int_equal(
		sigstore_verify(buf_slice(&text), buf_slice(&s.artifact), &keyed, now, NULL),
		-EKEYREJECTED);
	for (size_t i = 0; i < text.size; i += 11)
		assert_int_equal(sigstore_verify(slice_cut(buf_slice(&text), 0, i),
					 buf_slice(&s.artifact), &nobody, now, NULL),
			-EBADMSG);
}

/* Without one kind of party nothing verifies; the root is read as a whole or not at all. */
static void test_roots(void **state)
{
	static const char *const parts[] = {"tlogs", "ctlogs", "certificateAuthorities"};
	cleanup_with(sample_done) struct sample s;
	struct sigstore_root *all;

	load(&s, "happy-path-v0.3");
	all = s.root;
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		cleanup_with(buf_done) struct buf text = buf_init(0);
		json_t *doc = NULL;
		assert_int_equal(json_parse(sigstore_public_good(), 0, &doc, NULL), 0);
		json_object_del(doc, parts[i]);
		assert_int_equal(json_write(doc, &text), 0);
		json_decref(doc);
		assert_int_equal(sigstore_root_parse(buf_slice(&text), &s.root, NULL), 0);
		assert_int_equal(verify(&s), -EKEYREJECTED);
		sigstore_root_free(s.root);
	}
	s.root = all;
	struct slice whole = sigstore_public_good();
	for (size_t i = 0; i + 2 < whole.size; i += 13) {
		struct sigstore_root *r = NULL;
		assert_int_equal(sigstore_root_parse(slice_cut(whole, 0, i), &r, NULL), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_part),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_roots),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
