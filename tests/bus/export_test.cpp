// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A target as a dma-buf: for whoever may, alone, and no longer than its lease.
#include "harness/scene.h"

namespace p2pd::test {
namespace {

class Export : public Scene {
 protected:
  Answer export_dma_buf(Client& client, const Lease& lease) {
    return client.call(
        {.path = "/org/p2pd1", .method = "org.p2pd1.Manager.ExportDmaBuf", .arguments = {target_bar, lease.theirs(), Options{}}});
  }
};

TEST_F(Export, BringsADmaBufOverTheLease) {
  set_up_the_usual_pair();
  Lease lease;
  const auto mapping = export_dma_buf(root, lease).granted()[0].text();
  const auto notice = lease.next();
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->body, (Value::Dict{{"event", "fds"}, {"grant", mapping}}));
  EXPECT_GE(notice->fd.get(), 0);
  EXPECT_EQ(root.grants(), std::set<std::string>{mapping});
  EXPECT_EQ(root.properties(mapping)["Holding"], "/");
  EXPECT_EQ(root.properties(mapping)["Kind"], "dma-buf");

  EXPECT_EQ(root.release(mapping).error, "");
  lease.wait_for_end();
  EXPECT_TRUE(root.grants().empty());
}

TEST_F(Export, HasTheFunctionAlone) {
  set_up_the_usual_pair();
  const auto held = acquire(alice, initiator);
  const auto mapped = alice.map(held.path, target_bar).granted()[0].text();
  Lease lease;
  EXPECT_EQ(export_dma_buf(root, lease).error, "Busy");
  EXPECT_EQ(alice.release(mapped).error, "");

  Lease other;
  EXPECT_EQ(export_dma_buf(root, other).error, "");
  EXPECT_EQ(alice.map(held.path, target_bar).error, "Busy");
  other.close_theirs();
  other.close();
  eventually("the export has ended", [&] { return root.grants() == std::set<std::string>{held.path}; });
  eventually("it is a target again", [&] { return alice.map(held.path, target_bar).error.empty(); });
}

TEST_F(Export, IsForAdministrators) {
  set_up_the_usual_pair();
  Lease lease;
  EXPECT_EQ(export_dma_buf(alice, lease).error, "NotPermitted");
  EXPECT_EQ(polkit.last_question().action, "org.p2pd1.export-dma-buf");
  EXPECT_TRUE(root.grants().empty());
}

}  // namespace
}  // namespace p2pd::test
