// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which other processes have a file of ours open. A descriptor on its way over a socket, and a mapping whose descriptor was
// closed, are not seen.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace p2pd {

struct FileHolder {
  pid_t pid = 0;
  uid_t uid = static_cast<uid_t>(-1);  // effective
  std::string command;
  bool is_certain = true;  // false: a file of this kind, and the kernel does not say which
};
// "pid 4711 (dma-probe), uid 1000"
[[nodiscard]] std::string text_of(const FileHolder& holder);

// May take long, and not come back while a process that is looked at hangs in the kernel: not on the loop. `suspect`: each of
// its threads is looked at, for they may have files of their own.
[[nodiscard]] std::vector<FileHolder> holders_of(int file, pid_t suspect = 0);

// Whether the process has mapped a file of the same name into its memory. Devices that were opened through a group all have
// the same one.
[[nodiscard]] bool has_mapped(pid_t pid, int file);

}  // namespace p2pd
