/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/attester/bind.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "fmt/tcg2.h"
#include "guest/attester/tpm_dev.h"

#define DRIVER_BIND "/sys/bus/acpi/drivers/tpm_crb/bind"
#define DEVICE "MSFT0101:00" /* the ACPI id of every TPM 2.0 */

/* One digest for each bank: a bank left alone could be extended by anybody to a value of choice. */
static int digest_banks(const struct tpm *tpm, struct slice text, struct tpm_digest *digests,
	size_t *ret_count, struct err *reterr)
{
	uint16_t algs[TCG2_ALGS_MAX];
	bool has_sha256 = false;
	int count = tpm_pcr_banks(tpm, algs, ARRAY_COUNT(algs), reterr);
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		struct digest d;
		int r = hash_once(hash_from_tpm(algs[i]), text, &d);
		if (r < 0)
			return err_set(reterr, r, "PCR bank 0x%04x cannot be extended", algs[i]);
		digests[i].alg = algs[i];
		memcpy(digests[i].bytes, d.bytes, d.size);
		has_sha256 |= algs[i] == TPM_ALG_SHA256;
	}
	if (!has_sha256)
		return err_set(reterr, -EOPNOTSUPP, "the TPM has no active SHA-256 bank");
	*ret_count = (size_t)count;
	return 0;
}

static int write_log(const struct tpm_digest *digests, size_t count, struct err *reterr)
{
	cleanup_with(buf_done) struct buf log = buf_init(TCG2_SIZE_MAX);
	struct tcg2_digest views[TCG2_ALGS_MAX];
	struct tcg2_alg algs[TCG2_ALGS_MAX];
	for (size_t i = 0; i < count; i++) {
		size_t size = tpm_alg_digest_size(digests[i].alg);
		algs[i] = (struct tcg2_alg){digests[i].alg, (uint16_t)size};
		views[i] = (struct tcg2_digest){digests[i].alg, slice_of(digests[i].bytes, size)};
	}
	int r = file_read(BIND_FIRMWARE_LOG, TCG2_SIZE_MAX, &log, reterr);
	/* Firmware without a log leaves PCRs that no verifier can replay; that is its business. */
	if (r == -ENOENT)
		tcg2_put_header(&log, algs, count);
	else if (r < 0)
		return r;
	tcg2_put_event(&log, BIND_PCR, TCG2_EV_EVENT_TAG, views, count, slice_str(BIND_EVENT_TEXT));
	if (buf_error(&log) < 0)
		return buf_error(&log);
	return file_write_atomic(BIND_EVENTLOG, buf_slice(&log), 0600, reterr);
}

/*
 * A software TPM that gets no processor for a second while the kernel looks for it is no TPM to the
 * kernel. It is asked to look again, while it knows that there could be one.
 */
static int open_tpm(struct tpm_dev *dev, struct err *reterr)
{
	for (int attempt = 1;; attempt++) {
		int r = tpm_dev_open(NULL, dev, reterr);
		if (r != -ENODEV || attempt == TPM_DEV_ATTEMPTS)
			return r;
		cleanup_fd int fd = open(DRIVER_BIND, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return r;
		/* It has looked when this returns. ENODEV: there is no such device. */
		if (write(fd, DEVICE, strlen(DEVICE)) < 0 && errno == ENODEV)
			return r;
	}
}

int bind_initdata(struct slice text, enum hash_alg alg, struct err *reterr)
{
	cleanup_with(tpm_dev_close) struct tpm_dev dev = {0};
	struct tpm_digest digests[TCG2_ALGS_MAX] = {0};
	size_t count = 0;
	if (alg != HASH_SHA256)
		return err_set(reterr, -EOPNOTSUPP,
			"initdata says algorithm %s; a guest with a TPM needs sha256",
			hash_name(alg));
	int r = open_tpm(&dev, reterr);
	if (r < 0)
		return r;
	r = digest_banks(&dev.tpm, text, digests, &count, reterr);
	if (r < 0)
		return r;
	r = tpm_pcr_extend(&dev.tpm, BIND_PCR, digests, count, reterr);
	return r < 0 ? r : write_log(digests, count, reterr);
}
