/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/netif.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "fmt/hostlink.h"

int netif_find(char ret_name[IFNAMSIZ])
{
	int r = -ENODEV;
	DIR *dir = opendir("/sys/class/net");
	if (dir == NULL)
		return -errno;
	for (struct dirent *e; r < 0 && (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.' || streq(e->d_name, "lo"))
			continue;
		if (str_copy(ret_name, IFNAMSIZ, e->d_name) == 0)
			r = 0;
	}
	closedir(dir);
	return r;
}

static int if_socket(const char *name, struct ifreq *req)
{
	*req = (struct ifreq){0};
	int r = str_copy(req->ifr_name, sizeof(req->ifr_name), name);
	if (r < 0)
		return r;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int netif_up(const char *name, struct err *reterr)
{
	struct ifreq req;
	cleanup_fd int fd = if_socket(name, &req);
	if (fd < 0)
		return err_set(reterr, fd, "cannot open a socket for %s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &req) < 0)
		return err_set(reterr, -errno, "cannot read the flags of %s", name);
	req.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &req) < 0)
		return err_set(reterr, -errno, "cannot bring %s up", name);
	return 0;
}

int netif_mac(const char *name, uint8_t ret_mac[6])
{
	struct ifreq req;
	cleanup_fd int fd = if_socket(name, &req);
	if (fd < 0)
		return fd;
	if (ioctl(fd, SIOCGIFHWADDR, &req) < 0)
		return -errno;
	if (req.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return -EPROTONOSUPPORT;
	memcpy(ret_mac, req.ifr_hwaddr.sa_data, 6);
	return 0;
}

static struct sockaddr sockaddr_of(uint32_t address)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
	struct sockaddr out = {0};
	memcpy(&out, &in, sizeof(in));
	return out;
}

static int write_resolv(const struct netif_config *config, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(1024);
	for (size_t i = 0; i < config->dns_count && i < NETIF_DNS_MAX; i++) {
		char address[IPV4_TEXT_SIZE];
		buf_printf(&text, "nameserver %s\n", ipv4_format(config->dns[i], address));
	}
	if (buf_error(&text) < 0)
		return buf_error(&text);
	cleanup_fd int fd =
		open("/etc/resolv.conf", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(reterr, -errno, "cannot write /etc/resolv.conf");
	return fd_write_full(fd, buf_str(&text), text.size);
}

int netif_configure(const char *name, const struct netif_config *config, struct err *reterr)
{
	struct ifreq req;
	cleanup_fd int fd = if_socket(name, &req);
	if (fd < 0)
		return err_set(reterr, fd, "cannot open a socket for %s", name);
	if (config->prefix == 0 || config->prefix > 32)
		return err_set(reterr, -EINVAL, "prefix %u", config->prefix);
	req.ifr_addr = sockaddr_of(config->address);
	if (ioctl(fd, SIOCSIFADDR, &req) < 0)
		return err_set(reterr, -errno, "cannot set the address of %s", name);
	req.ifr_netmask = sockaddr_of(~(uint32_t)0 << (32 - config->prefix));
	if (ioctl(fd, SIOCSIFNETMASK, &req) < 0)
		return err_set(reterr, -errno, "cannot set the netmask of %s", name);
	int r = netif_up(name, reterr);
	if (r < 0)
		return r;
	if (config->gateway != 0) {
		struct rtentry route = {
			.rt_dst = sockaddr_of(0),
			.rt_genmask = sockaddr_of(0),
			.rt_gateway = sockaddr_of(config->gateway),
			.rt_flags = RTF_UP | RTF_GATEWAY,
		};
		if (ioctl(fd, SIOCADDRT, &route) < 0)
			return err_set(reterr, -errno, "cannot set the default route");
	}
	return write_resolv(config, reterr);
}
