// SPDX-License-Identifier: Apache-2.0
#include "engine/io/safetensors_writer.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "engine/io/bad_files/bad_files.h"
#include "engine/io/safetensors.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

size_t files_in(const std::string& dir) {
  size_t n = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    n += entry.exists() ? 1 : 0;
  }
  return n;
}

TEST(SafetensorsWriter, WhatIsWrittenIsRead) {
  const TemporaryDirectory dir;
  const std::vector<uint16_t> half = {1, 2, 3};
  const std::vector<float> full = {1.5f, -2.0f, 3.25f, 0.0f};
  SafetensorsWriter writer(
      dir / "x.safetensors",
      {{"half", DType::kF16, {3}}, {"full", DType::kF32, {2, 2}}, {"none", DType::kBF16, {0, 4}}},
      {{"k", "v\n\"q\""}});
  writer.append("full", full.data(), 4);
  writer.append("half", half.data(), 6);
  writer.append("full", full.data() + 1, 12);
  EXPECT_FALSE(file_exists(dir / "x.safetensors"));
  writer.finish();
  EXPECT_EQ(files_in(dir.path()), 1u);

  const auto file = SafetensorsFile::open(dir / "x.safetensors");
  EXPECT_EQ(file->metadata().at("k"), "v\n\"q\"");
  EXPECT_EQ(file->tensors().size(), 3u);
  const TensorView read = file->find("full")->view;
  EXPECT_EQ(read.shape, (Shape{2, 2}));
  EXPECT_TRUE(std::equal(full.begin(), full.end(), read.as<float>()));
  EXPECT_EQ(file->find("half")->view.as<F16>()[2].bits, 3);
  // In the mapping itself: aligned, not copied.
  EXPECT_EQ(file->find("half")->offset % 2, 0);
  EXPECT_EQ(file->find("full")->offset % 8, 0);
}

TEST(SafetensorsWriter, AnUnfinishedFileLeavesNothing) {
  const TemporaryDirectory dir;
  write_file(dir / "x.safetensors", "before");
  {
    SafetensorsWriter writer(dir / "x.safetensors", {{"a", DType::kF32, {1}}});
    EXPECT_THROW(writer.finish(), Error);
  }
  EXPECT_EQ(read_text_file(dir / "x.safetensors", 100), "before");
  EXPECT_EQ(files_in(dir.path()), 1u);
}

TEST(SafetensorsWriter, RefusesMisuse) {
  const TemporaryDirectory dir;
  const float x[2] = {};
  SafetensorsWriter writer(dir / "x.safetensors", {{"a", DType::kF32, {1}}});
  EXPECT_THROW(writer.append("b", x, 4), Error);
  EXPECT_THROW(writer.append("a", x, 8), Error);
  EXPECT_THROW(SafetensorsWriter(dir / "y", {{"a", DType::kF32, {1}}, {"a", DType::kF16, {1}}}),
               Error);
  EXPECT_THROW(SafetensorsWriter(dir / "no/such/folder", {{"a", DType::kF32, {1}}}), Error);
  writer.append("a", x, 4);
  writer.finish();
  EXPECT_THROW(writer.append("a", x, 0), Error);
}

}  // namespace
}  // namespace ember
