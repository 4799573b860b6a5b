// SPDX-License-Identifier: LGPL-2.1-or-later
#include "p2pclient/dma_buf.h"

#include "connection.h"
#include "holding_impl.h"

namespace p2pclient {

DmaBuf::DmaBuf(std::shared_ptr<Connection> connection, std::string path, FileDescriptor fd, Lease lease) noexcept
    : connection_(std::move(connection)), path_(std::move(path)), fd_(std::move(fd)), lease_(std::move(lease)) {}
DmaBuf::DmaBuf(DmaBuf&&) noexcept = default;
DmaBuf& DmaBuf::operator=(DmaBuf&&) noexcept = default;
DmaBuf::~DmaBuf() = default;

void DmaBuf::release() {
  release_grant(*connection_, path_);
  lease_.end();
  fd_.reset();
}

}  // namespace p2pclient
