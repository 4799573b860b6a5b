// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libp2pclient: everything.
#pragma once

#include "p2pclient/buffer.h"           // IWYU pragma: export
#include "p2pclient/client.h"           // IWYU pragma: export
#include "p2pclient/device.h"           // IWYU pragma: export
#include "p2pclient/dma_buf.h"          // IWYU pragma: export
#include "p2pclient/error.h"            // IWYU pragma: export
#include "p2pclient/file_descriptor.h"  // IWYU pragma: export
#include "p2pclient/holding.h"          // IWYU pragma: export
#include "p2pclient/lease.h"            // IWYU pragma: export
#include "p2pclient/monitor.h"          // IWYU pragma: export
#include "p2pclient/peer_memory.h"      // IWYU pragma: export
#include "p2pclient/units.h"            // IWYU pragma: export
#include "p2pclient/verdict.h"          // IWYU pragma: export
#include "p2pclient/vfio_device.h"      // IWYU pragma: export
