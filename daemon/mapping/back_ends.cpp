// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/back_ends.h"

namespace p2pd {

Outcome<OpenedThrough> open_through(const BackEnds& back_ends, const std::string& backend, const Address& address,
                                    std::uint32_t iommu_group) {
  Outcome<OpenedThrough> result = refuse(ErrorCode::not_supported, "there is no back end " + backend);
  for (Vfio& each : back_ends) {
    if (!backend.empty() && each.name() != backend) continue;
    auto opened = each.open(address, iommu_group);
    if (opened) return OpenedThrough{std::move(*opened), each.name()};
    result = error_of(opened);
    // Another one may do what this one cannot; what is busy, gone or forbidden is so for all of them.
    if (opened.error().code != ErrorCode::not_supported) break;
  }
  return result;
}

Outcome<std::vector<std::string>> probe(const BackEnds& back_ends) {
  std::vector<std::string> names;
  Outcome<void> last;
  for (const Vfio& each : back_ends) {
    last = each.probe();
    if (last) names.push_back(each.name());
  }
  if (names.empty() && !last) return error_of(last);
  return names;
}

}  // namespace p2pd
