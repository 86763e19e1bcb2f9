// SPDX-License-Identifier: Apache-2.0
#include "engine/model/weight_source.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "engine/io/bad_files/bad_files_testing.h"
#include "engine/io/bad_files/good_model.h"
#include "engine/io/mmap_file.h"
#include "engine/model/random_source.h"
#include "kernels/random_weights/random_weights.h"

namespace ember {
namespace {

using bad_files::Specs;

TEST(WeightSchema, CountsOfThePublishedModels) {
  // As the model cards and transformers' num_parameters() give them.
  EXPECT_EQ(parameter_count(find_preset("qwen3-0.6b")->shape), 596049920);
  EXPECT_EQ(parameter_count(find_preset("qwen3-1.7b")->shape), 1720574976);
  EXPECT_EQ(parameter_count(find_preset("qwen3-4b")->shape), 4022468096);
  EXPECT_EQ(parameter_count(find_preset("qwen3-8b")->shape), 8190735360);
  EXPECT_EQ(parameter_count(find_preset("qwen3-14b")->shape), 14768307200);
}

TEST(WeightSchema, EveryTensorOnce) {
  ModelShape shape = find_preset("tiny")->shape;
  for (const bool tied : {true, false}) {
    shape.tied = tied;
    std::set<std::string> names;
    int64_t parameters = 0;
    for_each_weight(shape, [&](const WeightRow& row, int64_t layer) {
      EXPECT_TRUE(names.insert(weight_name(row.role, layer)).second);
      parameters += row.shape(shape).numel();
    });
    EXPECT_EQ(static_cast<int64_t>(names.size()), 11 * shape.L + (tied ? 2 : 3));
    EXPECT_EQ(parameters, parameter_count(shape));
  }
  EXPECT_EQ(weight_name(WeightRole::kDown, 12), "model.layers.12.mlp.down_proj.weight");
}

TEST(WeightSource, DirectoryGivesViewsOfTheFile) {
  for (const bool sharded : {false, true}) {
    const TemporaryDirectory dir;
    write_good_model(dir.path(), sharded);
    const auto source = open_weights(dir.path());
    EXPECT_EQ(source->config().shape.V, 300);
    EXPECT_EQ(source->dir(), dir.path());
    EXPECT_TRUE(source->notes().empty());
    int64_t bytes = 0;
    for_each_weight(source->config().shape, [&](const WeightRow& row, int64_t layer) {
      const TensorView v = source->tensor(row.role, layer);
      EXPECT_EQ(v.shape, row.shape(source->config().shape)) << weight_name(row.role, layer);
      EXPECT_EQ(v.dtype, DType::kBF16);
      bytes += v.bytes();
    });
    EXPECT_EQ(bytes, 6208);
    EXPECT_EQ(weight_bytes(*source), bytes);
    EXPECT_EQ(source->tensor(WeightRole::kHead, -1).data,
              source->tensor(WeightRole::kEmbedding, -1).data);
  }
}

TEST(WeightSource, RefusesEveryBadDirectory) {
  std::vector<BadFile> all = bad_weight_files();
  for (auto more : {bad_index_files(), bad_config_files()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  for (const BadFile& bad : all) {
    EXPECT_TRUE(refuses(bad, [](const std::string& dir) { open_weights(dir); }))
        << bad.name << " was accepted";
  }
}

// Rewrites the good model's only file with `change` made to its tensors.
void rewrite(const std::string& dir, const std::function<void(Specs*)>& change) {
  Specs specs = bad_files::all_specs();
  change(&specs);
  bad_files::write_tensors(dir + "/model.safetensors", specs);
}

TEST(WeightSource, MixedDtypesAreKept) {
  const TemporaryDirectory dir;
  write_good_model(dir.path());
  rewrite(dir.path(), [](Specs* specs) {
    (*specs)[1].dtype = DType::kF32;
    (*specs)[3].dtype = DType::kF16;
  });
  const auto source = open_weights(dir.path());
  EXPECT_EQ(source->tensor(WeightRole::kFinalNorm, -1).dtype, DType::kF32);
  EXPECT_EQ(source->tensor(WeightRole::kQ, 0).dtype, DType::kF16);
  EXPECT_EQ(source->tensor(WeightRole::kK, 0).dtype, DType::kBF16);
}

TEST(WeightSource, WithoutADtypeTheEmbeddingDecides) {
  const TemporaryDirectory dir;
  write_good_model(dir.path());
  auto config = bad_files::good_config();
  config.erase("dtype");
  bad_files::write_json(dir / "config.json", config);
  rewrite(dir.path(), [](Specs* specs) { (*specs)[0].dtype = DType::kF32; });
  EXPECT_EQ(open_weights(dir.path())->config().dtype, DType::kF32);
}

// transformers 5: a head equal to the embedding stays tied, another one is used.
TEST(WeightSource, ATiedCheckpointMayHoldAHead) {
  const TemporaryDirectory dir;
  write_good_model(dir.path());
  rewrite(dir.path(), [](Specs* specs) {
    specs->push_back({"lm_head.weight", DType::kBF16, {300, 8}});
  });
  {
    const auto source = open_weights(dir.path());  // write_tensors gave both the same values
    EXPECT_TRUE(source->config().shape.tied);
    EXPECT_EQ(source->tensor(WeightRole::kHead, -1).data,
              source->tensor(WeightRole::kEmbedding, -1).data);
    ASSERT_EQ(source->notes().size(), 1u);
    EXPECT_NE(source->notes()[0].find("is not used"), std::string::npos);
  }
  rewrite(dir.path(), [](Specs* specs) {
    specs->push_back({"lm_head.weight", DType::kF32, {300, 8}});
  });
  const auto source = open_weights(dir.path());  // zeros: another matrix
  EXPECT_FALSE(source->config().shape.tied);
  EXPECT_EQ(source->tensor(WeightRole::kHead, -1).dtype, DType::kF32);
  EXPECT_EQ(source->tensor(WeightRole::kEmbedding, -1).dtype, DType::kBF16);
  EXPECT_NE(source->notes().at(0).find("differs"), std::string::npos);
}

TEST(WeightSource, ATiedHeadAloneServesAsEmbedding) {
  const TemporaryDirectory dir;
  write_good_model(dir.path());
  rewrite(dir.path(), [](Specs* specs) { (*specs)[0].name = "lm_head.weight"; });
  const auto source = open_weights(dir.path());
  EXPECT_EQ(source->tensor(WeightRole::kEmbedding, -1).shape, (Shape{300, 8}));
  EXPECT_EQ(source->tensor(WeightRole::kHead, -1).data,
            source->tensor(WeightRole::kEmbedding, -1).data);
}

TEST(RandomSource, IsTheFunctionOfTheSeedAndTheName) {
  const auto source = open_weights("random:tiny:fp32:seed=7");
  const ModelShape& shape = source->config().shape;
  for_each_weight(shape, [&](const WeightRow& row, int64_t layer) {
    const TensorView v = source->tensor(row.role, layer);
    ASSERT_EQ(v.shape, row.shape(shape));
    const uint64_t stream = k::random_weights_stream(7, weight_name(row.role, layer));
    for (const int64_t i : {int64_t{0}, v.numel() / 2, v.numel() - 1}) {
      const int32_t sum = k::random_weights_sum(stream, static_cast<uint64_t>(i));
      ASSERT_EQ(v.as<float>()[i],
                row.norm ? k::random_weights_gain(sum) : k::random_weights_matrix(sum));
    }
  });
  EXPECT_EQ(weight_bytes(*source), parameter_count(shape) * 4);
  EXPECT_EQ(source->tensor(WeightRole::kQ, 1).data, source->tensor(WeightRole::kQ, 1).data);
  EXPECT_NE(source->tensor(WeightRole::kQ, 1).data, source->tensor(WeightRole::kQ, 2).data);
}

TEST(RandomSource, Names) {
  const RandomModelName plain = parse_random_model("random:qwen3-0.6b");
  EXPECT_EQ(plain.preset, "qwen3-0.6b");
  EXPECT_EQ(plain.dtype, DType::kBF16);
  EXPECT_EQ(plain.seed, 1u);
  EXPECT_EQ(parse_random_model("random:tiny:seed=18446744073709551615:fp16").seed, UINT64_MAX);
  for (const char* bad : {"random:", "random:qwen3", "random:tiny:", "random:tiny:fp8",
                          "random:tiny:seed=", "random:tiny:seed=-1",
                          "random:tiny:seed=18446744073709551616", "random:tiny:seed=1x"}) {
    try {
      open_weights(bad);
      ADD_FAILURE() << bad;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage) << bad;
    }
  }
}

}  // namespace
}  // namespace ember
