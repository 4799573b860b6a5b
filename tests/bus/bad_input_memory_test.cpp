// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is no memory of a client: p2pd takes memfds that cannot shrink, whole pages of them, and nothing beyond their end.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>

#include "bad_input.h"

namespace p2pd::test {
namespace {

UniqueFd memory_with(unsigned flags, int seals) {
  UniqueFd memory(::memfd_create("p2pd-test", MFD_CLOEXEC | flags));
  if (::ftruncate(memory.get(), 0x4000) < 0) throw std::runtime_error("ftruncate");
  if (seals != 0 && ::fcntl(memory.get(), F_ADD_SEALS, seals) < 0) throw std::runtime_error("F_ADD_SEALS");
  return memory;
}

UniqueFd opened(const std::string& path, int flags) { return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, 0600)); }

UniqueFd a_regular_file() {
  auto file = opened("/tmp", O_TMPFILE | O_RDWR);
  if (::ftruncate(file.get(), 0x4000) < 0) throw std::runtime_error("ftruncate");
  return file;
}

UniqueFd a_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) < 0) throw std::runtime_error("pipe2");
  ::close(ends[1]);
  return UniqueFd(ends[0]);
}

// The same memory through another open file, which does not let write.
UniqueFd read_only() {
  const auto memory = sealed_memory(0x4000);
  return opened("/proc/self/fd/" + std::to_string(memory.get()), O_RDONLY);
}

std::function<Answer(BadInput&)> with(UniqueFd (*make)(), const char* access = "rw") {
  return [make, access](BadInput& test) {
    const auto memory = make();
    return test.alice.map_memory(test.held.path, memory.get(), 0, 0x1000, {{"access", access}});
  };
}

std::function<Answer(BadInput&)> with_range(std::uint64_t offset, std::uint64_t length) {
  return [=](BadInput& test) { return test.alice.map_memory(test.held.path, test.memory.get(), offset, length); };
}

const Row rows[] = {
    {"Pipe", "InvalidArgument", with(a_pipe)},
    {"DevNull", "InvalidArgument", with([] { return opened("/dev/null", O_RDWR); })},
    {"DevZero", "InvalidArgument", with([] { return opened("/dev/zero", O_RDWR); })},
    {"RegularFile", "InvalidArgument", with(a_regular_file)},
    {"Directory", "InvalidArgument", with([] { return opened("/tmp", O_RDONLY); })},
    {"MemfdOpenedAsAPath", "InvalidArgument", with([] {
       const auto memory = sealed_memory(0x4000);
       return opened("/proc/self/fd/" + std::to_string(memory.get()), O_PATH);
     })},
    {"MemfdThatCanShrink", "InvalidArgument", with([] { return memory_with(MFD_ALLOW_SEALING, F_SEAL_GROW); })},
    {"MemfdThatCannotBeSealed", "InvalidArgument", with([] { return memory_with(0, 0); })},
    {"MemfdOpenForReadingOnly", "InvalidArgument", with(read_only)},
    {"MemfdSealedAgainstWriting", "InvalidArgument",
     with([] { return memory_with(MFD_ALLOW_SEALING, F_SEAL_SHRINK | F_SEAL_WRITE); })},
    {"MemfdSealedAgainstLaterWriting", "InvalidArgument",
     with([] { return memory_with(MFD_ALLOW_SEALING, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE); }, "w")},
    {"UnknownAccess", "InvalidArgument", with([] { return sealed_memory(0x4000); }, "rwx")},

    {"ZeroLength", "InvalidArgument", with_range(0, 0)},
    {"MisalignedOffset", "InvalidArgument", with_range(0x10, 0x1000)},
    {"MisalignedLength", "InvalidArgument", with_range(0, 0x1010)},
    {"BeyondTheEnd", "InvalidArgument", with_range(0x3000, 0x2000)},
    {"FromTheEndOn", "InvalidArgument", with_range(0x4000, 0x1000)},
    {"Overflow", "InvalidArgument", with_range(0x1000, ~std::uint64_t{0xfff})},
    {"AllThereIs", "InvalidArgument", with_range(0, ~std::uint64_t{0xfff})},

    {"UnknownOption", "InvalidArgument",
     [](BadInput& test) { return test.map_memory_with({{"cookie", std::uint64_t{0x1000}}}); }},
    {"OptionOfAnotherType", "InvalidArgument", [](BadInput& test) { return test.map_memory_with({{"access", 3U}}); }},
    {"LeaseOfAnotherType", "InvalidArgument", [](BadInput& test) { return test.map_memory_with({{"lease", 3U}}); }},
    {"SomebodyElsesHolding", "NotPermitted",
     [](BadInput& test) { return test.alice.map_memory(test.other.path, test.memory.get(), 0, 0x1000); }},
    {"RootOnAClientsHolding", "NotPermitted",
     [](BadInput& test) { return test.root.map_memory(test.held.path, test.memory.get(), 0, 0x1000); }},
    {"AHoldingThatIsNotThere", "Gone",
     [](BadInput& test) { return test.alice.map_memory("/org/p2pd1/holding/999999999999", test.memory.get(), 0, 0x1000); }},
    {"AnObjectThatIsNoHolding", "NotFound",
     [](BadInput& test) { return test.alice.map_memory("/org/p2pd1/mapping/1", test.memory.get(), 0, 0x1000); }},
    {"AnAddressSpaceOfOnesOwn", "NotSupported",
     [](BadInput& test) { return test.alice.map_memory("/", test.memory.get(), 0, 0x1000); }},
};

INSTANTIATE_TEST_SUITE_P(Memory, BadInput, in_table(rows), row_name);

}  // namespace
}  // namespace p2pd::test
