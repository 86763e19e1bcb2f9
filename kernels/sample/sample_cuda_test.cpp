// SPDX-License-Identifier: Apache-2.0
// The definition is in integers, so a device has to give the CPU's id every time.
#include <limits>

#include "kernels/common/device_testing.h"
#include "kernels/sample/sample_cases.h"

namespace ember::k::testing {
namespace {

const std::vector<TensorView*> operands(SampleParams& p) {
  return {&p.id, &p.x, &p.settings};
}

struct Row {
  explicit Row(const std::vector<float>& logits)
      : x(DType::kF32, {1, static_cast<int64_t>(logits.size())}),
        id(DType::kI32, {1}),
        settings(DType::kI32, {kSampleSettingsWords}) {
    std::copy(logits.begin(), logits.end(), x.view().as<float>());
  }

  SampleParams params(const SampleSettings& s, bool greedy, int64_t pos) const {
    std::memcpy(settings.view().data, &s, sizeof s);
    SampleParams p;
    p.id = id;
    p.x = x;
    p.settings = settings;
    p.greedy = greedy;
    p.pos = pos;
    return p;
  }
  int32_t on_device(const SampleSettings& s, bool greedy = false, int64_t pos = 0) const {
    run_on_device(sample_cuda, params(s, greedy, pos), operands);
    EXPECT_TRUE(x.guards_intact() && id.guards_intact() && settings.guards_intact());
    return *id.view().as<int32_t>();
  }
  int32_t on_cpu(const SampleSettings& s, bool greedy = false, int64_t pos = 0) const {
    sample_cpu(params(s, greedy, pos));
    return *id.view().as<int32_t>();
  }

  TestTensor x, id, settings;
};

TEST(SampleCuda, GivesTheIdOfTheCpu) {
  EMBER_NEEDS_CUDA();
  for (const SampleCase& c : sample_cases()) {
    SCOPED_TRACE(c.name + " V " + std::to_string(c.V) + " seed " + std::to_string(c.seed));
    const Row row(sample_case_logits(c));
    const SampleSettings s =
        make_sample_settings(c.temperature, c.top_k, c.top_p, c.min_p, c.seed, 0);
    EXPECT_EQ(row.on_device(s, true), row.on_cpu(s, true));
    for (int64_t pos = 0; pos < 8; ++pos) {
      EXPECT_EQ(row.on_device(s, false, pos), row.on_cpu(s, false, pos)) << pos;
    }
  }
}

// Rows of a few hundred logits under settings drawn at random: every edge of every filter.
TEST(SampleCuda, RandomRows) {
  EMBER_NEEDS_CUDA();
  for (uint64_t i = 0; i < 1000; ++i) {
    SampleCase c{"", 1 + static_cast<int64_t>(uniform(i, 0) * 5000)};
    c.seed = i + 1;
    c.logits = static_cast<SampleLogits>(static_cast<int>(uniform(i, 1) * 6));
    c.temperature = std::exp2(uniform(i, 2) * 8 - 4);
    c.top_k = uniform(i, 3) < 0.3 ? 0 : static_cast<int64_t>(uniform(i, 4) * 100);
    c.top_p = uniform(i, 5) < 0.3 ? 1.0 : uniform(i, 6);
    c.min_p = uniform(i, 7) < 0.5 ? 0.0 : uniform(i, 8) * 0.5;
    const Row row(sample_case_logits(c));
    const SampleSettings s =
        make_sample_settings(c.temperature, c.top_k, c.top_p, c.min_p, c.seed, 99);
    const int64_t pos = static_cast<int64_t>(i);
    ASSERT_EQ(row.on_device(s, false, pos), row.on_cpu(s, false, pos)) << i;
  }
}

TEST(SampleCuda, SpecialValues) {
  EMBER_NEEDS_CUDA();
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  const SampleSettings s = make_sample_settings(1, 0, 1, 0, 1, 0);
  std::vector<float> late(9000, 1.0f);
  late[8998] = -nan;
  for (bool greedy : {false, true}) {
    EXPECT_EQ(Row({0, nan, 1, inf}).on_device(s, greedy), -2);
    EXPECT_EQ(Row({0, 1, inf, nan}).on_device(s, greedy), -3);
    EXPECT_EQ(Row({nan}).on_device(s, greedy), -1);
    EXPECT_EQ(Row(late).on_device(s, greedy), -8999);
    EXPECT_EQ(Row({-inf, -inf}).on_device(s, greedy), kNothingToSample);
    EXPECT_EQ(Row({-inf, -3e38f, -inf}).on_device(s, greedy), 1);
    EXPECT_EQ(Row({-3e38f, 3e38f}).on_device(s, greedy), 1);
    EXPECT_EQ(Row({7}).on_device(s, greedy), 0);
  }
  EXPECT_EQ(Row({-0.0f, 0.0f}).on_device(s, true), 0);
  EXPECT_EQ(Row({-0.0f, 0.0f}).on_device(make_sample_settings(1, 0, 0.5, 0, 1, 0)), 0);
}

// The position in device memory, and one call after another on the memory left behind.
TEST(SampleCuda, PositionInMemory) {
  EMBER_NEEDS_CUDA();
  const Stream stream = test_stream().get();
  const DeviceId device = DeviceMirror::device();
  SampleCase c{"", 32768};
  const Row row(sample_case_logits(c));
  const SampleSettings s = make_sample_settings(1, 100, 0.95, 0.01, 3, 0);
  SampleParams p = row.params(s, false, 0);
  DeviceMirror mirror(operands(p));
  const Buffer position(4, Buffer::Fill::kPoison, device, "position");
  p.pos_device = reinterpret_cast<const int32_t*>(position.data());
  for (int32_t pos = 0; pos < 20; ++pos) {
    cuda::upload(position.view(DType::kI32, {1}), &pos, stream);
    sample_cuda(p, stream);
    int32_t id = -7;
    cuda::download(p.id, &id, stream);
    EXPECT_EQ(id, row.on_cpu(s, false, pos)) << pos;
  }
}

TEST(SampleCuda, HostMemoryIsRefused) {
  const Row row({1, 2, 3});
  const SampleParams p = row.params(make_sample_settings(1, 0, 1, 0, 1, 0), false, 0);
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "sample", [&] { sample_cuda(p, {}); }));
}

}  // namespace
}  // namespace ember::k::testing
