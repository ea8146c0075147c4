/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pkcs12.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include "crypto/key_internal.h"

struct search {
	const char *password;
	int password_size;
	EVP_PKEY *found; /* owned */
	int keys;	 /* seen, whether readable or not */
	int unreadable;	 /* bags and safes of a cipher that we lack */
};

static void take(struct search *s, const PKCS8_PRIV_KEY_INFO *info)
{
	EVP_PKEY *k = info ? EVP_PKCS82PKEY(info) : NULL;

	s->keys++;
	if (!k) {
		s->unreadable++;
		return;
	}
	EVP_PKEY_free(s->found);
	s->found = k;
}

static void look_in_bag(struct search *s, const PKCS12_SAFEBAG *bag)
{
	PKCS8_PRIV_KEY_INFO *info;

	switch (PKCS12_SAFEBAG_get_nid(bag)) {
	case NID_keyBag:
		take(s, PKCS12_SAFEBAG_get0_p8inf(bag));
		break;
	case NID_pkcs8ShroudedKeyBag:
		info = PKCS12_decrypt_skey(bag, s->password, s->password_size);
		take(s, info);
		PKCS8_PRIV_KEY_INFO_free(info);
		break;
	default: /* certificates; nested bags, which nobody writes */
		break;
	}
}

static void look_in_safe(struct search *s, PKCS7 *safe)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;

	if (PKCS7_type_is_data(safe))
		bags = PKCS12_unpack_p7data(safe);
	else if (PKCS7_type_is_encrypted(safe))
		bags = PKCS12_unpack_p7encdata(safe, s->password, s->password_size);
	if (!bags)
		s->unreadable++;
	for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); i++)
		look_in_bag(s, sk_PKCS12_SAFEBAG_value(bags, i));
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}

static int search_file(struct search *s, const PKCS12 *file, struct err *reterr)
{
	STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(file);
	int count = safes ? sk_PKCS7_num(safes) : 0;

	if (!safes)
		return err_set(reterr, -EBADMSG, "PKCS#12 has no safe");
	for (int i = 0; i < count && count <= PKCS12_SAFES_MAX; i++)
		look_in_safe(s, sk_PKCS7_value(safes, i));
	sk_PKCS7_pop_free(safes, PKCS7_free);
	if (count > PKCS12_SAFES_MAX)
		return err_set(reterr, -E2BIG, "PKCS#12 has more than %d safes", PKCS12_SAFES_MAX);
	if (s->keys > 1)
		return err_set(reterr, -EBADMSG, "PKCS#12 has more than one private key");
	if (s->found)
		return 0;
	if (s->unreadable)
		return err_set(reterr, -EOPNOTSUPP,
			"PKCS#12 has no private key of a cipher that is supported");
	return err_set(reterr, -EBADMSG, "PKCS#12 has no private key");
}

static int check_and_search(PKCS12 *file, const char *password, EVP_PKEY **ret, struct err *reterr)
{
	struct search s = {.password = password, .password_size = (int)strlen(password)};
	int r;

	if (!PKCS12_mac_present(file))
		return err_set(reterr, -EBADMSG, "PKCS#12 has no MAC");
	if (PKCS12_verify_mac(file, s.password, s.password_size) != 1)
		return err_set(reterr, -EKEYREJECTED, "PKCS#12 does not fit the password");
	r = search_file(&s, file, reterr);
	if (r == 0)
		*ret = s.found;
	else
		EVP_PKEY_free(s.found);
	return r;
}

int pkcs12_key(struct slice der, const char *password, struct pkey **ret, struct err *reterr)
{
	const unsigned char *at = der.data;
	EVP_PKEY *key = NULL;
	PKCS12 *file;
	int r;

	if (der.size > PKCS12_SIZE_MAX)
		return err_set(reterr, -E2BIG, "PKCS#12 is larger than %zu bytes", PKCS12_SIZE_MAX);
	file = der.size ? d2i_PKCS12(NULL, &at, (long)der.size) : NULL;
	if (!file || (size_t)(at - der.data) != der.size)
		r = err_set(reterr, -EBADMSG, "PKCS#12 is malformed");
	else
		r = check_and_search(file, password, &key, reterr);
	PKCS12_free(file);
	ERR_clear_error();
	return r < 0 ? r : pkey_adopt(key, ret, reterr);
}
