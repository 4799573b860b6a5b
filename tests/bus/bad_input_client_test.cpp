// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What clients get wrong: Acquire, Map, Release, Revoke, Check. Their leases and their memory have tables of their own.
#include "bad_input.h"

namespace p2pd::test {
namespace {

Answer manager(Client& client, const std::string& method, const Arguments& arguments) {
  return client.call({.path = "/org/p2pd1", .method = "org.p2pd1.Manager." + method, .arguments = arguments});
}

Answer acquire(BadInput& test, const std::string& address) {
  const Lease lease;
  return test.alice.acquire(address, lease);
}

Answer allocate(BadInput& test, const std::string& target, std::uint64_t length, const Options& options = {}) {
  const Lease lease;
  return manager(test.root, "AllocatePeerMemory", {target, length, lease.theirs(), options});
}

const Row rows[] = {
    {"AcquireOfAFunctionThatIsNotThere", "NotFound", [](BadInput& test) { return acquire(test, nobody_there); }},
    {"AcquireWithoutADomain", "InvalidArgument", [](BadInput& test) { return acquire(test, "03:00.0"); }},
    {"AcquireOfSomeText", "InvalidArgument", [](BadInput& test) { return acquire(test, "../../etc/passwd\n\x1b[2J"); }},
    {"AcquireOfNothing", "InvalidArgument", [](BadInput& test) { return acquire(test, ""); }},
    {"AcquireOfALongText", "InvalidArgument", [](BadInput& test) { return acquire(test, std::string(100000, 'a')); }},
    {"AcquireOfWhatIsNotOffered", "NotOffered", [](BadInput& test) { return acquire(test, switched_initiator); }},
    {"AcquireOfATarget", "NotOffered", [](BadInput& test) { return acquire(test, peer); }},
    {"AcquireOfWhatSomebodyHas", "Busy", [](BadInput& test) { return acquire(test, other_initiator); }},
    {"AcquireTwice", "Busy", [](BadInput& test) { return acquire(test, initiator); }},
    {"AcquireThatWaits", "NotSupported", [](BadInput& test) { return test.acquire_with({{"wait", true}}); }},
    {"AcquireWithNoAddressBits", "InvalidArgument", [](BadInput& test) { return test.acquire_with({{"address_bits", 0U}}); }},
    {"AcquireWith65AddressBits", "InvalidArgument", [](BadInput& test) { return test.acquire_with({{"address_bits", 65U}}); }},
    {"AcquireWithTextForAddressBits", "InvalidArgument",
     [](BadInput& test) { return test.acquire_with({{"address_bits", "64"}}); }},
    {"AcquireWithAnUnknownOption", "InvalidArgument", [](BadInput& test) { return test.acquire_with({{"exclusive", true}}); }},
    {"AcquireByOneWhoMayNot", "NotPermitted",
     [](BadInput& test) {
       Client carol(test.bus, carol_uid);
       const Lease lease;
       return carol.acquire(initiator, lease);
     }},
    {"AcquireWithoutALease", invalid_arguments,
     [](BadInput& test) { return manager(test.alice, "Acquire", {initiator, Options{}}); }},

    {"MapOfWhatIsNotEnabled", "NotEnabled", [](BadInput& test) { return test.alice.map(test.held.path, "0000:04:00.0:0"); }},
    {"MapOfMoreThanIsEnabled", "NotEnabled",
     [](BadInput& test) { return test.alice.map(test.held.path, "0000:06:00.0:0:0x4000+0x3000"); }},
    {"MapOfBar7", "InvalidArgument", [](BadInput& test) { return test.alice.map(test.held.path, "0000:04:00.0:7"); }},
    {"MapOfABarThatIsNotThere", "NotFound", [](BadInput& test) { return test.alice.map(test.held.path, "0000:04:00.0:1"); }},
    {"MapOfAFunctionThatIsNotThere", "NotFound", [](BadInput& test) { return test.alice.map(test.held.path, "0000:0f:00.0:0"); }},
    {"MapOfNothing", "InvalidArgument", [](BadInput& test) { return test.alice.map(test.held.path, ""); }},
    {"MapOfZeroBytes", "InvalidArgument", [](BadInput& test) { return test.alice.map(test.held.path, "0000:04:00.0:2:0+0"); }},
    {"MapOfAMisalignedRange", "InvalidArgument",
     [](BadInput& test) { return test.alice.map(test.held.path, "0000:04:00.0:2:0x10+0x1000"); }},
    {"MapThatOverflows", "InvalidArgument",
     [](BadInput& test) { return test.alice.map(test.held.path, "0000:04:00.0:2:0x1000+0xfffffffffffff000"); }},
    {"MapBeyondTheEnd", "InvalidArgument",
     [](BadInput& test) { return test.alice.map(test.held.path, "0000:04:00.0:2:0x100000+0x1000"); }},
    {"MapAtAMisalignedCookie", "InvalidArgument",
     [](BadInput& test) { return test.map_with({{"cookie", std::uint64_t{0x1001}}}); }},
    {"MapAtACookieThatOverflows", "InvalidArgument",
     [](BadInput& test) { return test.map_with({{"cookie", ~std::uint64_t{0xfff}}}); }},
    {"MapWithTextForTheCookie", "InvalidArgument", [](BadInput& test) { return test.map_with({{"cookie", "0x1000"}}); }},
    {"MapByAnotherBackEnd", "NotSupported", [](BadInput& test) { return test.map_with({{"backend", "iommufd"}}); }},
    {"MapForNoAccess", "InvalidArgument", [](BadInput& test) { return test.map_with({{"access", ""}}); }},
    {"MapWithAnUnknownOption", "InvalidArgument", [](BadInput& test) { return test.map_with({{"container", true}}); }},
    {"MapOfWhatSomebodyHasAlone", "Busy",
     [](BadInput& test) { return test.alice.map(test.held.path, "0000:06:00.0:0:0x4000+0x1000"); }},
    {"MapOnAnothersHolding", "NotPermitted", [](BadInput& test) { return test.alice.map(test.other.path, target_bar); }},
    {"MapOnAHoldingThatIsNotThere", "Gone",
     [](BadInput& test) { return test.alice.map("/org/p2pd1/holding/999999999999", target_bar); }},
    {"MapOnAnObjectThatIsNoHolding", "NotFound",
     [](BadInput& test) { return test.alice.map(test.alice.device(initiator), target_bar); }},
    {"MapOnAHoldingSpeltInAnotherWay", "NotFound",
     [](BadInput& test) { return test.alice.map("/org/p2pd1/holding/001", target_bar); }},
    {"MapInAContainerOfOnesOwn", "NotSupported",
     [](BadInput& test) { return test.alice.map("/", target_bar, {{"container", Fd{test.memory.get()}}}); }},
    {"MapInAnIommufdOfOnesOwn", "NotSupported",
     [](BadInput& test) { return test.alice.map("/", target_bar, {{"iommufd", Fd{test.memory.get()}}, {"ioas", 1U}}); }},

    {"ReleaseOfAnothersHolding", "NotPermitted", [](BadInput& test) { return test.alice.release(test.other.path); }},
    {"ReleaseOfAnothersMapping", "NotPermitted", [](BadInput& test) { return test.alice.release(test.taken); }},
    {"ReleaseOfAHoldingThatIsNotThere", unknown_object,
     [](BadInput& test) { return test.alice.release("/org/p2pd1/holding/999999999999"); }},
    {"ReleaseWithAnOption", "InvalidArgument",
     [](BadInput& test) {
       return test.alice.call(
           {.path = test.held.path, .method = "org.p2pd1.Holding.Release", .arguments = {Options{{"force", true}}}});
     }},
    {"RevokeByAClient", "NotPermitted", [](BadInput& test) { return test.alice.revoke(test.other.path, "I want it"); }},
    {"RevokeForALongReason", "InvalidArgument",
     [](BadInput& test) { return test.root.revoke(test.held.path, std::string(257, 'x')); }},
    {"RevokeForAReasonOfTwoLines", "InvalidArgument",
     [](BadInput& test) { return test.root.revoke(test.held.path, "one\ntwo"); }},
    {"RevokeWithTooLongAGrace", "InvalidArgument",
     [](BadInput& test) { return test.root.revoke(test.held.path, "why", {{"grace_ms", ~0U}}); }},

    {"CheckOfSomeText", "InvalidArgument", [](BadInput& test) { return test.alice.check("here", target_bar); }},
    {"CheckOfAFunctionThatIsNotThere", "NotFound", [](BadInput& test) { return test.alice.check(nobody_there, target_bar); }},
    {"CheckOfABarThatIsNotThere", "NotFound", [](BadInput& test) { return test.alice.check(initiator, "0000:04:00.0:5"); }},
    {"CheckBeyondTheEnd", "InvalidArgument",
     [](BadInput& test) { return test.alice.check(initiator, "0000:04:00.0:2:0x100000+0x1000"); }},
    {"CheckWithAnUnknownOption", "InvalidArgument",
     [](BadInput& test) { return test.alice.check(initiator, target_bar, {{"bits", 64U}}); }},
    {"ReachSetOfSomeText", "InvalidArgument", [](BadInput& test) { return manager(test.alice, "GetReachSet", {"here"}); }},
    {"ReachSetOfAFunctionThatIsNotThere", "NotFound",
     [](BadInput& test) { return manager(test.alice, "GetReachSet", {nobody_there}); }},
    {"CheckAllOfSomeText", "InvalidArgument",
     [](BadInput& test) { return manager(test.alice, "CheckAll", {Options{{"initiators", Strings{"x"}}}}); }},
    {"CheckAllOfTooManyPairs", "InvalidArgument",
     [](BadInput& test) {
       return manager(test.alice, "CheckAll",
                      {Options{{"initiators", Strings(400, initiator)}, {"targets", Strings(400, target_bar)}}});
     }},
    {"ManyOptions", "InvalidArgument",
     [](BadInput& test) {
       Options many;
       for (int count = 0; count < 1000; ++count) many.emplace_back("option" + std::to_string(count), true);
       return test.alice.check(initiator, target_bar, many);
     }},
    {"ReloadByAClient", "NotPermitted", [](BadInput& test) { return manager(test.alice, "Reload", {}); }},
    {"ExportDmaBufOfWhatIsNotThere", "NotFound",
     [](BadInput& test) {
       const Lease lease;
       return manager(test.root, "ExportDmaBuf", {"0000:77:00.0:2", lease.theirs(), Options{}});
     }},
    {"ExportDmaBufOfNothing", "InvalidArgument",
     [](BadInput& test) {
       const Lease lease;
       return manager(test.root, "ExportDmaBuf", {"", lease.theirs(), Options{}});
     }},
    {"ExportDmaBufWithAnUnknownOption", "InvalidArgument",
     [](BadInput& test) {
       const Lease lease;
       return manager(test.root, "ExportDmaBuf", {target_bar, lease.theirs(), Options{{"access", "r"}}});
     }},
    {"ExportDmaBufOverNoLease", "InvalidArgument",
     [](BadInput& test) {
       const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
       return manager(test.root, "ExportDmaBuf", {target_bar, Fd{file.get()}, Options{}});
     }},
    {"AllocatePeerMemoryOfWhatNoKernelDriverHas", "NotSupported",
     [](BadInput& test) { return allocate(test, target_bar, 0x1000); }},
    {"AllocatePeerMemoryOfWhatIsNotEnabled", "NotEnabled",
     [](BadInput& test) { return allocate(test, std::string(network_card) + ":0", 0x1000); }},
    {"AllocatePeerMemoryOfWhatIsNotThere", "NotFound", [](BadInput& test) { return allocate(test, "0000:77:00.0:2", 0x1000); }},
    {"AllocateNoPeerMemory", "InvalidArgument", [](BadInput& test) { return allocate(test, target_bar, 0); }},
    {"AllocatePartOfAPageOfPeerMemory", "InvalidArgument", [](BadInput& test) { return allocate(test, target_bar, 0x1001); }},
    {"AllocateAllThePeerMemoryThereCouldBe", "InvalidArgument",
     [](BadInput& test) { return allocate(test, target_bar, ~std::uint64_t{0}); }},
    {"AllocatePeerMemoryWithAnUnknownOption", "InvalidArgument",
     [](BadInput& test) { return allocate(test, target_bar, 0x1000, {{"access", "r"}}); }},
    {"AllocatePeerMemoryOverNoLease", "InvalidArgument",
     [](BadInput& test) {
       const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
       return manager(test.root, "AllocatePeerMemory", {target_bar, std::uint64_t{0x1000}, Fd{file.get()}, Options{}});
     }},
    {"AllocatePeerMemoryOfSomeLength", invalid_arguments,
     [](BadInput& test) {
       const Lease lease;
       return manager(test.root, "AllocatePeerMemory", {target_bar, "much", lease.theirs(), Options{}});
     }},
};

INSTANTIATE_TEST_SUITE_P(Client, BadInput, in_table(rows), row_name);

}  // namespace
}  // namespace p2pd::test
