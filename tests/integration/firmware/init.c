/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1 of the firmware tests: reports what the kernel sees of the measured boot, then powers off.
 * Everything goes to the first serial port as lines of "key=value".
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define LOG_PATH "/sys/kernel/security/tpm0/binary_bios_measurements"

static void report_file(const char *key, const char *path)
{
	char text[256] = "absent";
	FILE *f = fopen(path, "re");
	if (f) {
		if (!fgets(text, sizeof(text), f))
			text[0] = 0;
		fclose(f);
	}
	text[strcspn(text, "\n")] = 0;
	printf("%s=%s\n", key, text);
}

static void report_log(void)
{
	unsigned char bytes[4096];
	FILE *f = fopen(LOG_PATH, "re");
	if (!f) {
		printf("log=absent\n");
		return;
	}
	for (size_t n; (n = fread(bytes, 1, sizeof(bytes), f)) > 0;)
		for (size_t i = 0; i < n; i += 64) {
			printf("log=");
			for (size_t k = i; k < n && k < i + 64; k++)
				printf("%02x", bytes[k]);
			printf("\n");
		}
	fclose(f);
	printf("log-end=1\n");
}

static void report_pci(void)
{
	DIR *d = opendir("/sys/bus/pci/devices");
	int count = 0;
	for (struct dirent *e; d && (e = readdir(d));)
		count += e->d_name[0] != '.';
	if (d)
		closedir(d);
	printf("pci=%d\n", count);
}

int main(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL) || mount("sysfs", "/sys", "sysfs", 0, NULL) ||
		mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) ||
		mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL))
		return 1;
	int fd = open("/dev/ttyS0", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || dup2(fd, 1) < 0)
		return 1;
	/* The test reads only what stands between the two marks: the kernel writes here too. */
	printf("\nhusk-test=begin\n");
	for (int pcr = 0; pcr < 24; pcr++) {
		char key[16], path[64];
		snprintf(key, sizeof(key), "pcr%02d", pcr);
		snprintf(path, sizeof(path), "/sys/class/tpm/tpm0/pcr-sha256/%d", pcr);
		report_file(key, path);
	}
	struct sysinfo info;
	if (sysinfo(&info) == 0)
		printf("memory_mib=%lu\n",
			(unsigned long)(info.totalram / 1048576 * info.mem_unit));
	printf("cpus=%ld\n", sysconf(_SC_NPROCESSORS_ONLN));
	report_file("cmdline", "/proc/cmdline");
	report_file("uptime", "/proc/uptime");
	report_pci();
	report_log();
	printf("husk-test=end\n");
	fflush(stdout);
	fsync(1);
	reboot(RB_POWER_OFF);
	return 1;
}
