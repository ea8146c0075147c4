/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/hsm/tpm_key.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/rd.h"
#include "base/str.h"
#include "fmt/tpm_sign.h"

#define DEVICE "/dev/tpmrm0"
#define ANSWER_MS 10000
#define HEADER_SIZE 10
#define FILE_MAX ((size_t)16 << 10)

struct tpm_key {
	int fd;
	struct tpm tpm;
	struct secret auth;
	uint32_t handle;
	bool transient; /* to be flushed */
	struct pkey *public;
	size_t coordinate; /* bytes */
};

/* --- the URI --- */

static int take(char *dst, size_t size, const char *name, struct slice value, struct err *reterr)
{
	if (dst[0])
		return err_set(reterr, -EINVAL, "TPM URI: %s is there twice", name);
	if (value.size == 0 || str_copy_slice(dst, size, value) < 0)
		return err_set(reterr, -EINVAL, "TPM URI: %s is empty or too long", name);
	return 0;
}

static int read_part(struct slice part, struct tpm_uri *u, char handle[32], struct err *reterr)
{
	const struct {
		const char *name;
		char *dst;
		size_t size;
	} known[] = {
		{"handle=", handle, 32},
		{"file=", u->file, sizeof(u->file)},
		{"device=", u->device, sizeof(u->device)},
		{"pin-source=", u->pin_source, sizeof(u->pin_source)},
	};

	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		size_t n = strlen(known[i].name);

		if (slice_eq_str(slice_cut(part, 0, MIN(n, part.size)), known[i].name))
			return take(known[i].dst, known[i].size, known[i].name,
				slice_cut(part, n, part.size), reterr);
	}
	return err_set(reterr, -EINVAL, "TPM URI: %.*s is no attribute that is known here",
		(int)MIN(part.size, (size_t)64), (const char *)part.data);
}

int tpm_uri_parse(const char *text, struct tpm_uri *ret, struct err *reterr)
{
	static const char scheme[] = "tpm:";
	struct slice rest = slice_str(text);
	char handle[32] = "";
	uint64_t number = 0;
	int r = 0;

	*ret = (struct tpm_uri){0};
	if (!str_starts(text, scheme))
		return err_set(reterr, -EINVAL, "a TPM URI starts with tpm:");
	rest = slice_cut(rest, strlen(scheme), rest.size);
	while (r == 0 && rest.size) {
		const uint8_t *end = memchr(rest.data, ';', rest.size);
		size_t n = end ? (size_t)(end - rest.data) : rest.size;

		r = read_part(slice_cut(rest, 0, n), ret, handle, reterr);
		rest = slice_cut(rest, end ? n + 1 : n, rest.size);
	}
	if (r < 0)
		return r;
	if (!handle[0] == !ret->file[0])
		return err_set(reterr, -EINVAL, "TPM URI: either handle or file names the key");
	if (handle[0] &&
		(!str_starts(handle, "0x") || strlen(handle) != 10 ||
			parse_hex64(slice_str(handle), &number) < 0 || number >> 24 != 0x81))
		return err_set(reterr, -EINVAL, "TPM URI: handle must be 0x81 and six more digits");
	ret->handle = (uint32_t)number;
	if ((ret->file[0] && ret->file[0] != '/') ||
		(ret->pin_source[0] && ret->pin_source[0] != '/'))
		return err_set(reterr, -EINVAL, "TPM URI: file and pin-source are absolute paths");
	if (!ret->device[0])
		(void)!str_copy(ret->device, sizeof(ret->device), DEVICE);
	return 0;
}

/* --- the connection --- */

/* A device gives the answer at once, a socket in pieces. */
static int receive(int fd, struct buf *answer)
{
	uint32_t size = HEADER_SIZE;

	while (answer->size < size) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		uint8_t *room = buf_reserve(answer, TPM_MESSAGE_MAX - answer->size);
		int r = poll(&p, 1, ANSWER_MS);
		ssize_t n;

		if (!room)
			return buf_error(answer);
		if (r <= 0)
			return r < 0 ? -errno : -ETIMEDOUT;
		n = read(fd, room, TPM_MESSAGE_MAX - answer->size);
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		buf_commit(answer, (size_t)n);
		if (answer->size >= HEADER_SIZE) {
			struct rd in = rd_init(buf_slice(answer));

			if (rd_skip(&in, 2) < 0 || rd_u32be(&in, &size) < 0 ||
				size > TPM_MESSAGE_MAX || size < HEADER_SIZE)
				return -EPROTO;
		}
	}
	return answer->size == size ? 0 : -EPROTO;
}

static int transmit(void *cookie, struct slice command, struct buf *answer)
{
	const struct tpm_key *k = cookie;
	int r = fd_write_full(k->fd, command.data, command.size);

	return r < 0 ? r : receive(k->fd, answer);
}

static int connect_to(const char *device, struct err *reterr)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	cleanup_fd int fd = -1;

	if (!str_starts(device, "unix:")) {
		fd = open(device, O_RDWR | O_CLOEXEC);
	} else {
		if (str_copy(to.sun_path, sizeof(to.sun_path), device + strlen("unix:")) < 0)
			return err_set(reterr, -E2BIG, "%s: the path is too long", device);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
			close(fd);
			fd = -1;
		}
	}
	return fd < 0 ? err_set(reterr, -ENODEV, "cannot open the TPM %s: %m", device)
		      : steal_fd(&fd);
}

/* --- the key --- */

static int read_file(const char *path, struct buf *der, struct err *reterr)
{
	static const char begin[] = "-----BEGIN TSS2 PRIVATE KEY-----";
	static const char end[] = "-----END TSS2 PRIVATE KEY-----";
	cleanup_with(buf_done) struct buf pem = buf_init(FILE_MAX), text = buf_init(FILE_MAX);
	const char *from, *to;
	int r = file_read(path, FILE_MAX, &pem, reterr);

	if (r < 0)
		return r;
	from = strstr(buf_str(&pem), begin);
	to = from ? strstr(from, end) : NULL;
	if (!to)
		return err_set(reterr, -EBADMSG, "%s holds no TSS2 PRIVATE KEY", path);
	for (from += strlen(begin); from < to; from++) {
		if (!strchr("\r\n", *from))
			buf_put_u8(&text, (uint8_t)*from);
	}
	r = b64_decode(der, buf_slice(&text), B64_STD);
	return r < 0 ? err_set(reterr, r, "%s: this is no base64", path) : 0;
}

static int load_file(struct tpm_key *k, const char *path, struct err *reterr)
{
	cleanup_with(buf_done) struct buf der = buf_init(FILE_MAX);
	struct tpm_key_file file = {0};
	uint32_t parent;
	int r = read_file(path, &der, reterr), f;

	if (r == 0)
		r = tpm_key_file_parse(buf_slice(&der), &file, reterr);
	if (r == 0)
		r = tpm_flush_transient(&k->tpm, reterr);
	if (r < 0)
		return r;
	parent = file.parent;
	if (parent == TPM_RH_OWNER)
		r = tpm_create_srk(&k->tpm, &parent, reterr);
	if (r < 0)
		return r;
	r = tpm_load(&k->tpm, parent, file.public, file.private, &k->handle, reterr);
	k->transient = r == 0;
	if (file.parent != TPM_RH_OWNER)
		return r;
	f = tpm_flush(&k->tpm, parent, r < 0 ? NULL : reterr);
	return r < 0 ? r : f;
}

static int read_public(struct tpm_key *k, struct err *reterr)
{
	cleanup_with(buf_done) struct buf area = buf_init(TPM_MESSAGE_MAX);
	cleanup_with(buf_done) struct buf point = buf_init(256);
	struct tpm_public p = {0};
	int r = tpm_read_public(&k->tpm, k->handle, &area, reterr);

	if (r == 0)
		r = tpm_public_parse(buf_slice(&area), &p, reterr);
	if (r < 0)
		return r;
	if (p.type != TPM_ALG_ECC || (p.curve != 3 && p.curve != 4) ||
		!(p.attributes & TPM_ATTR_SIGN) || (p.attributes & TPM_ATTR_RESTRICTED))
		return err_set(reterr, -EOPNOTSUPP,
			"the TPM's key is no unrestricted signing key on P-256 or P-384");
	k->coordinate = p.curve == 3 ? 32 : 48;
	if (p.x.size > k->coordinate || p.y.size > k->coordinate)
		return err_set(reterr, -EPROTO, "the TPM's key has a point that is too long");
	buf_put_u8(&point, 4);
	buf_put_zero(&point, k->coordinate - p.x.size);
	buf_put_slice(&point, p.x);
	buf_put_zero(&point, k->coordinate - p.y.size);
	buf_put_slice(&point, p.y);
	return pkey_from_ec_point(
		p.curve == 3 ? KEY_P256 : KEY_P384, buf_slice(&point), &k->public);
}

int tpm_key_open(
	const struct tpm_uri *uri, struct slice auth, struct tpm_key **ret, struct err *reterr)
{
	cleanup(tpm_key_free) struct tpm_key *k = calloc(1, sizeof(*k));
	int r = k ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	k->tpm = (struct tpm){transmit, k};
	k->fd = connect_to(uri->device, reterr);
	if (k->fd < 0)
		return k->fd;
	if (auth.size)
		r = secret_copy(&k->auth, auth);
	if (r == 0)
		r = tpm_startup(&k->tpm, reterr);
	k->handle = uri->handle;
	if (r == 0 && uri->file[0])
		r = load_file(k, uri->file, reterr);
	if (r == 0)
		r = read_public(k, reterr);
	if (r == 0)
		*ret = steal_ptr(k);
	return r;
}

void tpm_key_free(struct tpm_key *k)
{
	if (!k)
		return;
	if (k->transient)
		(void)!tpm_flush(&k->tpm, k->handle, NULL);
	if (k->fd >= 0)
		close(k->fd);
	pkey_free(k->public);
	secret_done(&k->auth);
	free(k);
}

const struct pkey *tpm_key_public(const struct tpm_key *k)
{
	return k->public;
}

int tpm_key_sign(struct tpm_key *k, struct slice digest, struct buf *out, struct err *reterr)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(TPM_MESSAGE_MAX);
	struct tpm_signature sig = {0};
	int r = tpm_sign_ecdsa(&k->tpm, k->handle, secret_slice(&k->auth), digest, &bytes, reterr);

	if (r == 0)
		r = tpm_signature_parse(buf_slice(&bytes), &sig, reterr);
	if (r < 0)
		return r;
	if (sig.alg != TPM_ALG_ECDSA || sig.r.size > k->coordinate || sig.s.size > k->coordinate)
		return err_set(reterr, -EPROTO, "the TPM's signature is no ECDSA of its key");
	buf_put_zero(out, k->coordinate - sig.r.size);
	buf_put_slice(out, sig.r);
	buf_put_zero(out, k->coordinate - sig.s.size);
	buf_put_slice(out, sig.s);
	return buf_error(out);
}
