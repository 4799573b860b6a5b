// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Facts about the host: kernel, CPU, IOMMU, VFIO, hypervisor. From files only.
#pragma once

#include "sources/source.h"

namespace p2pd {

[[nodiscard]] HostFacts read_host_facts(const LiveOptions& options);

}  // namespace p2pd
