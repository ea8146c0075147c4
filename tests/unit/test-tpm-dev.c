/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM device as a transport: a socket pair stands in for the device. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/attester/tpm_dev.h"

static void test_absent(void **state)
{
	struct tpm_dev dev = {0};
	struct err e = {0};
	assert_int_equal(tpm_dev_open("/nonexistent/tpm0", &dev, &e), -ENODEV);
	assert_non_null(strstr(e.text, "/nonexistent/tpm0"));
	tpm_dev_close(&dev);
}

static void test_transmit(void **state)
{
	int pair[2];
	char path[64];
	struct tpm_dev dev = {0};
	assert_int_equal(tpm_dev_open("/dev/null", &dev, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(dup2(pair[0], dev.fd), dev.fd);
	snprintf(path, sizeof(path), "answer");
	assert_int_equal(send(pair[1], path, 6, 0), 6);
	cleanup_with(buf_done) struct buf answer = buf_init(TPM_MESSAGE_MAX);
	assert_int_equal(dev.tpm.transmit(dev.tpm.cookie, SLICE_LIT("command"), &answer), 0);
	assert_string_equal(buf_str(&answer), "answer");
	char got[16];
	assert_int_equal(recv(pair[1], got, sizeof(got), 0), 7);
	close(pair[0]);
	close(pair[1]);
	tpm_dev_close(&dev);
	/* closing twice is harmless */
	tpm_dev_close(&dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_transmit),
	};
	return cmocka_run_group_tests_name("tpm-dev", tests, NULL, NULL);
}
