/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <sys/mman.h>
#include <unistd.h>

static size_t mapped_size(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (size + page - 1) & ~(page - 1);
}

int secret_new(struct secret *ret, size_t size)
{
	if (size == 0)
		return -EINVAL;
	if (size > SECRET_MAX)
		return -E2BIG;
	size_t mapped = mapped_size(size);
	void *p = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	/* Both are hardening: RLIMIT_MEMLOCK may be small, and the secret is then merely swappable.
	 */
	(void)mlock(p, mapped);
	(void)madvise(p, mapped, MADV_DONTDUMP);
	*ret = (struct secret){p, size};
	return 0;
}

int secret_copy(struct secret *ret, struct slice s)
{
	int r = secret_new(ret, s.size);
	if (r < 0)
		return r;
	memcpy(ret->data, s.data, s.size);
	return 0;
}

void secret_done(struct secret *s)
{
	if (s->data) {
		explicit_bzero(s->data, s->size);
		munmap(s->data, mapped_size(s->size));
	}
	*s = (struct secret){NULL, 0};
}

bool ct_equal(struct slice a, struct slice b)
{
	if (a.size != b.size)
		return false;
	volatile uint8_t diff = 0;
	for (size_t i = 0; i < a.size; i++)
		diff |= (uint8_t)(a.data[i] ^ b.data[i]);
	return diff == 0;
}
