/* SPDX-License-Identifier: Apache-2.0 */
/* What a person can do about a check that failed. */
#include "base/str.h"
#include "evidence/internal.h"

#define AGAIN "collect the evidence again: it was altered, cut short or is of another kind"
#define FETCH                                                                                   \
	"fetch it (husk collateral fetch), import it (husk collateral import) or name it with " \
	"--collateral"

/* The first row that fits; @name begins the check's name. "=": it is all of it, "*": a part. */
static const struct {
	const char *name, *fix;
} g_fixes[] = {
	{"collateral", FETCH},
	{"*revoked", "do not trust this platform: its vendor has revoked a key of it"},
	{"revocation", "get a current answer or list of the vendor: " FETCH},
	{"*revocation", "get a current list of the vendor: " FETCH},
	{"*CRL", "get a current list of the vendor: " FETCH},
	{"dates of TCB Info", "get the current one: " FETCH},
	{"dates of QE identity", "get the current one: " FETCH},
	{"*dates", "renew the certificate; for evidence of the past give its time (--at)"},
	{"report data", "attest again: the evidence is of another session, or the wrong digest was "
			"expected"},
	{"nonce", "attest again: the evidence is of another session"},
	{"quote nonce", "attest again: the evidence is of another session"},
	{"user data", "attest again: the evidence is of another session"},
	{"initdata", "start the guest with the initdata that is expected, or expect what it has"},
	{"*is for this TEE", "give the collateral of this TEE"},
	{"=TCB status",
		"update the platform's firmware and microcode, then fetch its PCK certificate "
		"and collateral again"},
	{"=TCB", "get the certificate of the reported TCB: " FETCH},
	{"TDX module", "update the platform's TDX module"},
	{"=QE identity", "update the platform's quoting enclave"},
	{"FMSPC", "give the collateral of this kind of platform"},
	{"PCE-ID", "give the collateral of this kind of platform"},
	{"product", "give the certificates of this processor"},
	{"chip id", "give the certificate of this chip"},
	{"VMPL", "let the guest ask for its report at a lower VMPL, or allow this one"},
	{"wrapping key", "give the key whose public part the guest's image was made with"},
	{"host key", "give the host-key document of this machine: " FETCH},
	{"*root",
		"trust this root only if it is the vendor's; pre-production hardware has another"},
	{"*chain", "send the whole chain of certificates, or give it as collateral"},
	{"*issuer", "give the whole chain of certificates"},
	{"*log", "send the log of this boot, whole, with this quote"},
};

const char *check_fix(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_fixes); i++) {
		const char *want = g_fixes[i].name;
		bool fits = want[0] == '*'   ? strstr(name, want + 1) != NULL
			    : want[0] == '=' ? streq(name, want + 1)
					     : str_starts(name, want);
		if (fits)
			return g_fixes[i].fix;
	}
	return AGAIN;
}
