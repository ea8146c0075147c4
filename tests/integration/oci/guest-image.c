/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays PID 1 and the attestation agent for the guest's image program: sends it one order, serves
 * its resources from files, prints what it answers. usage:
 *   guest-image IMAGE CDH.TOML RESOURCE-FOLDER ROOT
 * A resource kbs:///a/b/c is the file a_b_c of the folder. Exit code 0: the image was accepted, 3:
 * refused.
 */
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "fmt/json.h"
#include "guest/agent/child.h"

static void serve(int fd, const char *folder)
{
	for (;;) {
		cleanup_with(buf_done) struct buf uri = buf_init(4096), bytes = buf_init(1 << 20);
		enum child_type type;
		char path[4096];
		int r = child_recv(fd, &type, &uri);
		if (r < 0 || type != CHILD_GET_RESOURCE)
			_exit(r == -ENODATA ? 0 : 1);
		int at = snprintf(path, sizeof(path), "%s/", folder);
		snprintf(path + at, sizeof(path) - (size_t)at, "%s",
			buf_str(&uri) + MIN(uri.size, strlen("kbs:///")));
		for (char *p = path + at; *p; p++)
			if (*p == '/')
				*p = '_';
		r = file_read(path, 1 << 20, &bytes, NULL);
		r = r < 0 ? child_send_error(fd, NULL, "no such resource", "id-42")
			  : child_send(fd, CHILD_RESOURCE, buf_slice(&bytes));
		if (r < 0)
			_exit(1);
	}
}

static pid_t start_image(int agent, int resource)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	/* Over numbers above the targets, in case they overlap. */
	int a = dup2(agent, 20), b = dup2(resource, 21);
	if (dup2(a, CHILD_FD_AGENT) < 0 || dup2(b, CHILD_FD_RESOURCE) < 0)
		_exit(99);
	close(a);
	close(b);
	char name[] = CHILD_NAME_IMAGE, *argv[] = {name, NULL};
	_exit(image_main(1, argv));
}

static int send_order(int fd, char **argv)
{
	cleanup_with(buf_done) struct buf toml = buf_init(1 << 20), text = buf_init(1 << 21);
	struct err e = {0};

	if (file_read(argv[2], 1 << 20, &toml, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	json_t *doc = json_pack(
		"{s:s, s:s, s:s}", "image", argv[1], "cdh_toml", buf_str(&toml), "root", argv[4]);
	int r = json_write(doc, &text);
	json_decref(doc);
	return r < 0 ? r : child_send(fd, CHILD_PULL, buf_slice(&text));
}

static int converse(int fd)
{
	for (;;) {
		cleanup_with(buf_done) struct buf payload = buf_init(CHILD_PAYLOAD_MAX);
		enum child_type type;
		int r = child_recv(fd, &type, &payload);
		if (r < 0) {
			printf("gone\n");
			return 1;
		}
		printf("%d %s\n", type, buf_str(&payload));
		if (type == CHILD_IMAGE_INFO && child_send(fd, CHILD_IMAGE_GO, SLICE_EMPTY) < 0)
			return 1;
		if (type == CHILD_ERROR || type == CHILD_IMAGE_DONE)
			return type == CHILD_ERROR ? 3 : 0;
	}
}

int main(int argc, char **argv)
{
	int agent[2], resource[2], status = 0;

	if (argc != 5 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, agent) < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, resource) < 0)
		return 2;
	pid_t image = start_image(agent[1], resource[1]);
	close(agent[1]);
	close(resource[1]);
	pid_t server = fork();
	if (server == 0) {
		close(agent[0]);
		serve(resource[0], argv[3]);
	}
	close(resource[0]);
	if (send_order(agent[0], argv) < 0)
		return 2;
	int code = converse(agent[0]);
	close(agent[0]);
	if (waitpid(image, &status, 0) < 0)
		return 2;
	if (WIFSIGNALED(status)) {
		printf("signal %d\n", WTERMSIG(status));
		return 1;
	}
	waitpid(server, NULL, 0);
	return code;
}
