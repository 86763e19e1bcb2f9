// SPDX-License-Identifier: Apache-2.0
#include "engine/model/inspection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "engine/io/bad_files/bad_files_testing.h"
#include "engine/io/bad_files/good_model.h"
#include "engine/io/mmap_file.h"

namespace ember {
namespace {

TEST(Inspection, ListsAGoodModel) {
  for (const bool sharded : {false, true}) {
    const TemporaryDirectory dir;
    write_good_model(dir.path(), sharded);
    const Inspection in = inspect(dir.path(), true);
    EXPECT_TRUE(in.problems.empty()) << in.problems[0];
    EXPECT_EQ(in.tensors.size(), 13u);
    EXPECT_EQ(in.tensor_bytes(), 6208);
    EXPECT_EQ(in.parameters, 3104);
    EXPECT_EQ(in.files.size(), sharded ? 2u : 1u);
    EXPECT_EQ(in.files[0].metadata.at("format"), "pt");
    EXPECT_EQ(in.generation->top_k, 20);
    for (const InspectedTensor& t : in.tensors) {
      EXPECT_EQ(t.non_finite->count(), 0) << t.name;
    }
  }
}

TEST(Inspection, EveryBadFileIsAProblem) {
  std::vector<BadFile> all = bad_weight_files();
  for (auto more : {bad_index_files(), bad_config_files(), bad_generation_files()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  for (const BadFile& bad : all) {
    const TemporaryDirectory dir;
    write_good_model(dir.path(), bad.sharded);
    bad.spoil(dir.path());
    const Inspection in = inspect(dir.path(), false);
    ASSERT_EQ(in.problems.size(), 1u) << bad.name;
    expect_message(bad, in.problems[0]);
  }
}

// A bad config.json does not keep the tensors from being listed, nor the other way round.
TEST(Inspection, GoesOnAfterAProblem) {
  const TemporaryDirectory dir;
  write_good_model(dir.path());
  write_file(dir / "config.json", "{");
  const Inspection in = inspect(dir.path(), false);
  EXPECT_EQ(in.problems.size(), 1u);
  EXPECT_EQ(in.tensors.size(), 13u);
  EXPECT_FALSE(in.config);
  write_file(dir / "model.safetensors", "");
  EXPECT_EQ(inspect(dir.path(), false).problems.size(), 2u);
}

TEST(Inspection, SingleFiles) {
  const TemporaryDirectory dir;
  write_good_model(dir.path(), true);
  EXPECT_EQ(inspect(dir / "model-00002-of-00002.safetensors", false).tensors.size(), 11u);
  EXPECT_EQ(inspect(dir / "config.json", false).config->shape.V, 300);
  EXPECT_EQ(inspect(dir / "generation_config.json", false).generation->top_k, 20);
  EXPECT_NE(inspect(dir / "model.safetensors.index.json", false).notes.at(0).find("13 tensors"),
            std::string::npos);
  EXPECT_EQ(inspect(dir / "tokenizer.json", false).problems.size(), 1u);
  EXPECT_THROW(inspect(dir / "none", false), Error);
  const Inspection random = inspect("random:tiny", true);
  EXPECT_TRUE(random.problems.empty());
  EXPECT_EQ(random.tensors.size(), 46u);
}

TEST(Inspection, CheckWeightsFindsWhatIsNotFinite) {
  const TemporaryDirectory dir;
  write_good_model(dir.path());
  std::string bytes = read_text_file(dir / "model.safetensors", 1 << 20);
  bytes.replace(bytes.size() - 2, 2, "\xc0\x7f");  // NaN
  bytes.replace(bytes.size() - 6, 2, "\x80\xff");  // -infinity
  write_file(dir / "model.safetensors", bytes);
  EXPECT_TRUE(inspect(dir.path(), false).problems.empty());
  const Inspection in = inspect(dir.path(), true);
  ASSERT_EQ(in.problems.size(), 1u);
  EXPECT_NE(in.problems[0].find("mlp.down_proj.weight (byte "), std::string::npos)
      << in.problems[0];
  EXPECT_NE(in.problems[0].find("1 NaN, 1 infinite"), std::string::npos) << in.problems[0];
}

TEST(CheckWeights, CountsInEveryType) {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> x(3 << 20, 1.0f);
  x[0] = std::nanf("");
  x[1 << 20] = -inf;
  x[(3 << 20) - 1] = inf;
  x[7] = std::numeric_limits<float>::max();
  x[8] = std::numeric_limits<float>::denorm_min();
  const int64_t n = static_cast<int64_t>(x.size());
  const NonFinite full = count_non_finite(TensorView(x.data(), DType::kF32, {n}));
  EXPECT_EQ(full.nan, 1);
  EXPECT_EQ(full.infinite, 2);
  std::vector<F16> half(65536);
  std::vector<BF16> brain(65536);
  for (uint32_t i = 0; i < 65536; ++i) {
    half[i].bits = brain[i].bits = static_cast<uint16_t>(i);
  }
  const NonFinite h = count_non_finite(TensorView(half.data(), DType::kF16, {65536}));
  EXPECT_EQ(h.nan, 2 * 1023);
  EXPECT_EQ(h.infinite, 2);
  const NonFinite b = count_non_finite(TensorView(brain.data(), DType::kBF16, {256, 256}));
  EXPECT_EQ(b.nan, 2 * 127);
  EXPECT_EQ(b.infinite, 2);
  EXPECT_EQ(count_non_finite(TensorView(nullptr, DType::kF32, {0})).count(), 0);
}

}  // namespace
}  // namespace ember
