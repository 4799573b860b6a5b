// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What operators get wrong: Enable, Disable, Offer, Withdraw, Bind, Reset.
#include "bad_input.h"

namespace p2pd::test {
namespace {

// Enable with arguments that no target text can say.
Answer enable_raw(BadInput& test, std::uint32_t bar, std::uint64_t offset, std::uint64_t length) {
  return test.root.call(
      {.path = test.root.device(peer), .method = "org.p2pd1.Device.Enable", .arguments = {bar, offset, length, Options{}}});
}

const Row rows[] = {
    {"EnableOfAFunctionThatIsNotThere", "NotFound",
     [](BadInput& test) {
       return test.root.call(
           {.path = "/org/p2pd1", .method = "org.p2pd1.Manager.GetDeviceByAddress", .arguments = {std::string(nobody_there)}});
     }},
    {"EnableOnAnObjectThatIsNotThere", unknown_object,
     [](BadInput& test) {
       return test.root.call({.path = "/org/p2pd1/device/_30000_3a0f_3a00_2e0",
                              .method = "org.p2pd1.Device.Enable",
                              .arguments = {2U, std::uint64_t{0}, std::uint64_t{0}, Options{}}});
     }},
    {"EnableOfAFunctionInUpperCase", unknown_object,
     [](BadInput& test) {
       return test.root.call({.path = "/org/p2pd1/device/_30000_3a0A_3a00_2e0",
                              .method = "org.p2pd1.Device.Enable",
                              .arguments = {0U, std::uint64_t{0}, std::uint64_t{0}, Options{}}});
     }},
    {"EnableWithTextForTheBar", invalid_arguments,
     [](BadInput& test) {
       return test.root.call({.path = test.root.device(peer),
                              .method = "org.p2pd1.Device.Enable",
                              .arguments = {"2", std::uint64_t{0}, std::uint64_t{0}, Options{}}});
     }},
    {"EnableWithTooFewArguments", invalid_arguments,
     [](BadInput& test) {
       return test.root.call({.path = test.root.device(peer), .method = "org.p2pd1.Device.Enable", .arguments = {2U}});
     }},
    {"EnableOfBar6", "InvalidArgument", [](BadInput& test) { return enable_raw(test, 6, 0, 0); }},
    {"EnableOfBar7", "InvalidArgument", [](BadInput& test) { return enable_raw(test, 7, 0, 0); }},
    {"EnableOfBar4294967295", "InvalidArgument", [](BadInput& test) { return enable_raw(test, ~0U, 0, 0); }},
    {"EnableOfABarThatTheFunctionHasNot", "NotFound", [](BadInput& test) { return enable_raw(test, 1, 0, 0); }},
    {"EnableAtAMisalignedOffset", "InvalidArgument", [](BadInput& test) { return enable_raw(test, 2, 0x800, 0x1000); }},
    {"EnableOfAMisalignedLength", "InvalidArgument", [](BadInput& test) { return enable_raw(test, 2, 0, 0x1001); }},
    {"EnableThatOverflows", "InvalidArgument", [](BadInput& test) { return enable_raw(test, 2, 0x1000, ~std::uint64_t{0xfff}); }},
    {"EnableAtTheLastPageThereIs", "InvalidArgument",
     [](BadInput& test) { return enable_raw(test, 2, ~std::uint64_t{0xfff}, 0x1000); }},
    {"EnableFromTheEndOn", "InvalidArgument", [](BadInput& test) { return enable_raw(test, 2, target_length, 0); }},
    {"EnableBeyondTheEnd", "InvalidArgument", [](BadInput& test) { return enable_raw(test, 2, 0x1000, target_length); }},
    {"EnableWithAnUnknownOption", "InvalidArgument",
     [](BadInput& test) { return test.root.enable(disk + std::string(":0:0+0x1000"), {{"exlusive", true}}); }},
    {"EnableWithAnOptionOfAnotherType", "InvalidArgument",
     [](BadInput& test) { return test.root.enable(target_bar, {{"exclusive", "yes"}}); }},
    {"EnableWithAnOptionGivenTwice", "InvalidArgument",
     [](BadInput& test) { return test.root.enable(target_bar, {{"force", true}, {"force", false}}); }},
    {"EnableForNoAccess", "InvalidArgument", [](BadInput& test) { return test.root.enable(target_bar, {{"access", "x"}}); }},
    {"EnableWithScrubbing", "NotSupported", [](BadInput& test) { return test.root.enable(target_bar, {{"scrub", "zero"}}); }},
    {"EnableOverReboots", "NotSupported", [](BadInput& test) { return test.root.enable(target_bar, {{"persistent", true}}); }},
    {"EnableOnOtherTerms", "Busy", [](BadInput& test) { return test.root.enable(target_bar, {{"exclusive", false}}); }},
    {"EnableOfAnOverlappingRange", "Busy", [](BadInput& test) { return test.root.enable("0000:04:00.0:2:0+0x1000"); }},
    {"EnableOfAnOfferedFunction", "Busy", [](BadInput& test) { return test.root.enable("0000:03:00.0:0"); }},
    {"EnableOfPagesWithTheMsixTable", "Blocked", [](BadInput& test) { return test.root.enable("0000:06:00.0:0:0x2000+0x1000"); }},
    {"EnableOfPagesWithPendingBits", "Blocked", [](BadInput& test) { return test.root.enable("0000:06:00.0:0:0x3000+0x1000"); }},
    {"EnableOfAFunctionWithoutDriver", "Blocked", [](BadInput& test) { return test.root.enable("0000:07:00.0:0"); }},
    {"EnableOfAFunctionOnItsOwnDriver", "Blocked", [](BadInput& test) { return test.root.enable("0000:0c:00.0:0"); }},
    {"EnableOfAnIoBar", "Blocked", [](BadInput& test) { return test.root.enable("0000:07:00.0:1"); }},
    {"EnableOfABarWithoutAddress", "Blocked", [](BadInput& test) { return test.root.enable("0000:07:00.0:2"); }},

    {"DisableOfBar7", "InvalidArgument", [](BadInput& test) { return test.root.disable("0000:04:00.0:7"); }},
    {"DisableWithAnUnknownOption", "InvalidArgument",
     [](BadInput& test) { return test.root.disable(target_bar, {{"farce", true}}); }},
    {"DisableWithTooLongAGrace", "InvalidArgument",
     [](BadInput& test) { return test.root.disable(target_bar, {{"grace_ms", 600001U}}); }},
    {"DisableInUse", "Busy", [](BadInput& test) { return test.root.disable("0000:06:00.0:0:0x4000+0x2000"); }},

    {"OfferOfABridge", "Blocked", [](BadInput& test) { return test.root.offer(root_port); }},
    {"OfferOfAFunctionWithATarget", "Busy", [](BadInput& test) { return test.root.offer(peer); }},
    {"OfferToAGroupThatIsNotThere", "InvalidArgument",
     [](BadInput& test) { return test.root.offer(switched_initiator, {{"group", "no such group"}}); }},
    {"OfferOnOtherTerms", "Busy", [](BadInput& test) { return test.root.offer(initiator, {{"group", "root"}}); }},
    {"OfferOverReboots", "NotSupported",
     [](BadInput& test) { return test.root.offer(switched_initiator, {{"persistent", true}}); }},
    {"OfferWithAnUnknownOption", "InvalidArgument",
     [](BadInput& test) { return test.root.offer(switched_initiator, {{"force", true}}); }},
    {"WithdrawInUse", "Busy", [](BadInput& test) { return test.root.withdraw(initiator); }},
    {"WithdrawWithAnOptionOfAnotherType", "InvalidArgument",
     [](BadInput& test) { return test.root.withdraw(initiator, {{"force", 1U}}); }},

    {"BindOfABridge", "Blocked", [](BadInput& test) { return test.root.bind(root_port); }},
    {"BindOfANetworkCardThatIsUp", "Busy", [](BadInput& test) { return test.root.bind(network_card); }},
    {"BindOfItsWholeGroup", "Busy", [](BadInput& test) { return test.root.bind(network_card, {{"group", true}}); }},
    {"BindOfAGroupThatIsANumber", "InvalidArgument",
     [](BadInput& test) { return test.root.bind(network_card, {{"group", 7U}}); }},
    {"BindWithAnUnknownOption", "InvalidArgument",
     [](BadInput& test) { return test.root.bind(initiator, {{"driver", "nvme"}}); }},
    {"UnbindOfALentFunction", "Busy", [](BadInput& test) { return test.root.unbind(initiator); }},
    {"UnbindOfATarget", "Busy", [](BadInput& test) { return test.root.unbind(peer); }},
    {"ResetOfALentFunction", "Busy", [](BadInput& test) { return test.root.reset(initiator); }},
    {"ResetOfABridge", "Blocked", [](BadInput& test) { return test.root.reset(root_port); }},
    {"ResetOfAFunctionWithAnotherDriver", "Blocked", [](BadInput& test) { return test.root.reset(network_card); }},
    {"ResetWithAnUnknownOption", "InvalidArgument", [](BadInput& test) { return test.root.reset(peer, {{"method", "flr"}}); }},
    {"AMethodThatIsNotThere", unknown_method,
     [](BadInput& test) {
       return test.root.call({.path = test.root.device(initiator), .method = "org.p2pd1.Device.Explode", .arguments = {}});
     }},
};

INSTANTIATE_TEST_SUITE_P(Operator, BadInput, in_table(rows), row_name);

}  // namespace
}  // namespace p2pd::test
