// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/wanted.h"

#include <linux/vfio.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "mapping/vfio_failure.h"

namespace p2pd {

namespace {

Outcome<void> has_request_index(const KernelCalls& calls, int device) {
  vfio_irq_info info{};
  info.argsz = sizeof info;
  info.index = VFIO_PCI_REQ_IRQ_INDEX;
  const int result = calls.ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, &info);
  // vfio_pci_core.c refuses an index that it does not know with EINVAL.
  if (result < 0 && errno != EINVAL) return refuse_vfio(VfioCall::other, "VFIO_DEVICE_GET_IRQ_INFO", errno);
  if (result < 0 || info.count == 0 || (info.flags & VFIO_IRQ_INFO_EVENTFD) == 0)
    return refuse(ErrorCode::not_supported, "VFIO does not say when this device is wanted back");
  return {};
}

}  // namespace

Outcome<UniqueFd> make_wanted_eventfd(const KernelCalls& calls, int device) {
  if (const auto known = has_request_index(calls, device); !known) return error_of(known);
  UniqueFd wanted(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wanted) return refuse_errno("eventfd", errno);

  // The structure ends where its data begins.
  const std::int32_t data = wanted.get();
  alignas(vfio_irq_set) std::array<std::byte, sizeof(vfio_irq_set) + sizeof data> question{};
  vfio_irq_set header{};
  header.argsz = question.size();
  header.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
  header.index = VFIO_PCI_REQ_IRQ_INDEX;
  header.count = 1;
  std::memcpy(question.data(), &header, sizeof header);
  std::memcpy(question.data() + sizeof header, &data, sizeof data);
  if (calls.ioctl(device, VFIO_DEVICE_SET_IRQS, question.data()) < 0)
    return refuse_vfio(VfioCall::other, "VFIO_DEVICE_SET_IRQS", errno);
  return wanted;
}

}  // namespace p2pd
