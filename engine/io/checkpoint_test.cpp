// SPDX-License-Identifier: Apache-2.0
#include "engine/io/checkpoint.h"

#include <gtest/gtest.h>

#include "engine/io/bad_files/bad_files_testing.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

TEST(Checkpoint, OneFileAndShardsHoldTheSame) {
  const TemporaryDirectory one, two;
  write_good_model(one.path());
  write_good_model(two.path(), true);
  const auto single = Checkpoint::open(one.path());
  const auto sharded = Checkpoint::open(two.path());
  EXPECT_EQ(single->files().size(), 1u);
  EXPECT_EQ(sharded->files().size(), 2u);
  EXPECT_TRUE(sharded->notes().empty()) << sharded->notes()[0];
  ASSERT_EQ(single->tensors().size(), sharded->tensors().size());
  for (const TensorEntry* a : single->tensors()) {
    const TensorEntry* b = sharded->find(a->name);
    ASSERT_NE(b, nullptr) << a->name;
    EXPECT_EQ(a->dims, b->dims);
    EXPECT_EQ(memcmp(a->view.data, b->view.data, static_cast<size_t>(a->bytes)), 0) << a->name;
  }
}

TEST(Checkpoint, TheSingleFileWinsOverAnIndex) {
  const TemporaryDirectory dir;
  write_good_model(dir.path());
  write_file(dir / "model.safetensors.index.json", "not even JSON");
  const auto checkpoint = Checkpoint::open(dir.path());
  EXPECT_EQ(checkpoint->files().size(), 1u);
  ASSERT_EQ(checkpoint->notes().size(), 1u);
  EXPECT_NE(checkpoint->notes()[0].find("is ignored"), std::string::npos);
}

TEST(Checkpoint, AWrongTotalSizeIsNoted) {
  const TemporaryDirectory dir;
  write_good_model(dir.path(), true);
  const std::string path = dir / "model.safetensors.index.json";
  std::string text = read_text_file(path, 1 << 20);
  const size_t at = text.find("6208");
  ASSERT_NE(at, std::string::npos);
  write_file(path, text.replace(at, 4, "6209"));
  const auto checkpoint = Checkpoint::open(dir.path());
  ASSERT_EQ(checkpoint->notes().size(), 1u);
  EXPECT_NE(checkpoint->notes()[0].find("total_size is 6209, the tensors take 6208"),
            std::string::npos);
}

TEST(Checkpoint, RefusesEveryBadIndex) {
  for (const BadFile& bad : bad_index_files()) {
    EXPECT_TRUE(refuses(bad, Checkpoint::open)) << bad.name << " was accepted";
  }
}

}  // namespace
}  // namespace ember
