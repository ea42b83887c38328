/* QEMU plugin for scripts/arm64/count.sh: counts the guest's instructions and lets the guest ask.
 *
 * A guest that calls getpriority(2047, 0) finds the number of instructions that all its threads
 * have run so far, as uint64 of the host's byte order, at the start of the file that the plugin's
 * argument "out" names. No such `which` exists, so the kernel answers EINVAL and does nothing.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "qemu-plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

enum { GETPRIORITY = 141, OURS = 2047 };

static qemu_plugin_u64 count;
static int out = -1;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
      block, QEMU_PLUGIN_INLINE_ADD_U64, count, qemu_plugin_tb_n_insns(block));
}

static void called(qemu_plugin_id_t id, unsigned int vcpu, int64_t number, uint64_t which,
                   uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7,
                   uint64_t a8) {
  (void)id, (void)vcpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
  if (number == GETPRIORITY && which == OURS) {
    uint64_t now = qemu_plugin_u64_sum(count);
    if (pwrite(out, &now, sizeof now, 0) != (ssize_t)sizeof now) perror("count_plugin");
  }
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv) {
  (void)info;
  if (argc == 1 && strncmp(argv[0], "out=", 4) == 0)
    out = open(argv[0] + 4, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (out < 0) {
    fprintf(stderr, "count_plugin: give out=FILE, a file that can be written\n");
    return 1;
  }
  count = qemu_plugin_scoreboard_u64(qemu_plugin_scoreboard_new(sizeof(uint64_t)));
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, called);
  return 0;
}
