// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A mapping in a few lines: minimal INITIATOR TARGET, e.g. minimal 0000:03:00.0 0000:04:00.0:2
#include <p2pclient/p2pclient.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc != 3) return 64;
  auto client = p2pclient::Client::connect();
  auto holding = client.acquire(argv[1]);  // the device is ours as long as `holding` lives

  const p2pclient::Buffer buffer(1 << 20);  // our own memory …
  const auto memory = holding.map_memory(buffer);
  const auto peer = holding.map(argv[2]);  // … and the other device's

  std::cout << std::hex << "DMA from 0x" << memory.cookie().value << " to 0x" << peer.cookie().value << ": " << std::dec
            << peer.length() << " bytes, registers behind fd " << holding.device_fd() << '\n';
  return 0;
} catch (const p2pclient::Error& error) {
  std::cerr << error.name() << ": " << error.what() << '\n';
  return 1;
}
