// SPDX-License-Identifier: Apache-2.0
// The definition is in integers, so a device has to give the CPU's id every time.
#include <functional>
#include <limits>

#include "kernels/base/cuda_graph.h"
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

void expect_ids_of_the_cpu(const SampleCase& c, int64_t positions) {
  SCOPED_TRACE(c.name + " V " + std::to_string(c.V) + " seed " + std::to_string(c.seed));
  const Row row(sample_case_logits(c));
  const SampleSettings s =
      make_sample_settings(c.temperature, c.top_k, c.top_p, c.min_p, c.seed, 0);
  EXPECT_EQ(row.on_device(s, true), row.on_cpu(s, true));
  for (int64_t pos = 0; pos < positions; ++pos) {
    EXPECT_EQ(row.on_device(s, false, pos), row.on_cpu(s, false, pos)) << pos;
  }
}

// Few and small, and all that the kernels do: every kind of row under every filter, rows of one
// tile and of several, and the vocabulary of the models.
TEST(SampleCuda, EveryPath) {
  EMBER_NEEDS_CUDA();
  using L = SampleLogits;
  for (L logits :
       {L::kNormal, L::kPeaked, L::kTies, L::kMasked, L::kEqual, L::kOutlier, L::kSorted}) {
    for (int64_t V : {300, 5001}) {
      expect_ids_of_the_cpu({"defaults", V, logits, 0.7, 40, 0.9, 0, 1}, 2);
      expect_ids_of_the_cpu({"all of them", V, logits, 1.0, 0, 1.0, 0, 2}, 2);
      expect_ids_of_the_cpu({"min-p", V, logits, 1.0, 0, 1.0, 0.05, 3}, 1);
      expect_ids_of_the_cpu({"many", V, logits, 5.0, V / 2, 0.9999, 1e-6, 4}, 1);
    }
  }
  expect_ids_of_the_cpu({"model", 151936, L::kPeaked, 0.6, 20, 0.95, 0, 5}, 1);
  expect_ids_of_the_cpu({"nearly all", 151936, L::kTies, 5.0, 100000, 0.9999, 1e-6, 6}, 1);
}

TEST(SampleCudaLong, GivesTheIdOfTheCpu) {
  EMBER_NEEDS_CUDA();
  for (const SampleCase& c : sample_cases()) {
    expect_ids_of_the_cpu(c, 8);
  }
}

// Rows of a few hundred logits under settings drawn at random: every edge of every filter.
TEST(SampleCudaLong, RandomRows) {
  EMBER_NEEDS_CUDA();
  for (uint64_t i = 0; i < 1000; ++i) {
    SampleCase c{"", 1 + static_cast<int64_t>(uniform(i, 0) * 5000)};
    c.seed = i + 1;
    c.logits = static_cast<SampleLogits>(static_cast<int>(uniform(i, 1) * 7));
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
  p.pos_device = reinterpret_cast<int32_t*>(position.data());
  for (int32_t pos = 0; pos < 20; ++pos) {
    cuda::upload(position.view(DType::kI32, {1}), &pos, stream);
    sample_cuda(p, stream);
    int32_t id = -7;
    cuda::download(p.id, &id, stream);
    EXPECT_EQ(id, row.on_cpu(s, false, pos)) << pos;
  }
}

// Rows of one launch, in device memory with what a step of decoding needs around them. Their logits
// and settings differ, some rows are greedy, one holds a NaN and one only -infinity.
struct Batch {
  static constexpr int64_t kSlots = 64;

  Batch(int64_t rows, int64_t V, uint64_t seed)
      : x(DType::kF32, {rows, V}, seed % 3),
        id(DType::kI32, {rows}),
        settings(DType::kI32, {rows, kSampleSettingsWords}),
        ring(Buffer::pinned(rows * kSlots * 4, Buffer::Fill::kPoison, "ring")),
        positions(static_cast<size_t>(rows)) {
    for (int64_t b = 0; b < rows; ++b) {
      const uint64_t i = seed * 100 + static_cast<uint64_t>(b);
      SampleCase c{"", V};
      c.seed = i + 1;
      c.logits = static_cast<SampleLogits>(static_cast<int>(uniform(i, 0) * 7));
      c.temperature = std::exp2(uniform(i, 1) * 12 - 6);
      c.top_k = uniform(i, 2) < 0.3 ? 0 : 1 + static_cast<int64_t>(std::pow(V, uniform(i, 3)));
      c.top_p = uniform(i, 4) < 0.3 ? 1.0 : uniform(i, 5);
      c.min_p = uniform(i, 6) < 0.5 ? 0.0 : uniform(i, 7) * uniform(i, 8);
      greedy |= uniform(i, 9) < 0.25 ? 1u << b : 0;
      std::vector<float> row = sample_case_logits(c);
      if (b == 4) {
        row[row.size() / 2] = std::nanf("");
      } else if (b == 5) {
        row.assign(row.size(), -std::numeric_limits<float>::infinity());
      }
      std::copy(row.begin(), row.end(), x.view().as<float>() + b * x.view().row_stride);
      const SampleSettings s =
          make_sample_settings(c.temperature, c.top_k, c.top_p, c.min_p, c.seed, 11);
      std::memcpy(settings.view().as<int32_t>() + b * kSampleSettingsWords, &s, sizeof s);
      positions[static_cast<size_t>(b)] = static_cast<int32_t>(i % 50);
    }
  }

  SampleParams params() const {
    SampleParams p;
    p.id = id;
    p.x = x;
    p.settings = settings;
    p.greedy = greedy;
    p.advance = true;
    p.ring = TensorView(ring.data(), DType::kI32, {static_cast<int64_t>(positions.size()), kSlots});
    return p;
  }
  std::vector<int32_t> entries() const {
    const auto* p = reinterpret_cast<const int32_t*>(ring.data());
    return std::vector<int32_t>(p, p + positions.size() * kSlots);
  }

  TestTensor x, id, settings;
  Buffer ring;
  std::vector<int32_t> positions;
  uint32_t greedy = 0;
};

// `run` on the device against as many steps on the host: ids, positions and all of the ring.
void expect_steps(Batch& batch, int steps,
                  const std::function<void(const SampleParams&, Stream)>& run) {
  const Stream stream = test_stream().get();
  const auto rows = static_cast<int64_t>(batch.positions.size());
  SampleParams p = batch.params();
  DeviceMirror mirror(operands(p));
  const Buffer positions(rows * 4, Buffer::Fill::kPoison, DeviceMirror::device(), "positions");
  const TensorView at = positions.view(DType::kI32, {rows});
  cuda::upload(at, batch.positions.data(), stream);
  p.pos_device = static_cast<int32_t*>(at.data);
  run(p, stream);
  std::vector<int32_t> ids(batch.positions.size()), moved(ids);
  cuda::download(p.id, ids.data(), stream);
  cuda::download(at, moved.data(), stream);
  const std::vector<int32_t> entries = batch.entries();
  mirror.copy_back();
  EXPECT_TRUE(batch.x.guards_intact() && batch.id.guards_intact());

  std::fill(batch.ring.data(), batch.ring.data() + batch.ring.bytes(), std::byte{0xff});
  SampleParams q = batch.params();
  q.pos_device = batch.positions.data();
  for (int i = 0; i < steps; ++i) {
    sample_cpu(q);
  }
  const auto* want = batch.id.view().as<int32_t>();
  EXPECT_EQ(ids, std::vector<int32_t>(want, want + rows));
  EXPECT_EQ(moved, batch.positions);
  EXPECT_EQ(entries, batch.entries());
}

void expect_rows(const std::vector<int64_t>& vocabularies, const std::vector<int64_t>& counts) {
  uint64_t seed = 1;
  for (int64_t V : vocabularies) {
    for (int64_t rows : counts) {
      SCOPED_TRACE(std::to_string(rows) + " rows of " + std::to_string(V));
      Batch batch(rows, V, seed++);
      expect_steps(batch, 1, sample_cuda);
    }
  }
}

TEST(SampleCuda, Rows) {
  EMBER_NEEDS_CUDA();
  expect_rows({1, 5, 1023, 4097}, {1, 2, 7, 32});
}

TEST(SampleCudaLong, Rows) {
  EMBER_NEEDS_CUDA();
  expect_rows({1, 5, 1023, 4097, 50257, 151936, 151937}, {1, 2, 7, 16, 32});
}

// Choices one after another in a recorded graph, each kernel beginning before the last has ended.
TEST(SampleCuda, StepsInAGraph) {
  EMBER_NEEDS_CUDA();
  constexpr int kSteps = 8, kLaunches = 3;
  for (const auto& [rows, V] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 151936}, {1, 300}, {3, 5001}, {16, 32768}, {2, 151937}}) {
    for (int repeat = 0; repeat < 3; ++repeat) {
      SCOPED_TRACE(std::to_string(rows) + " rows of " + std::to_string(V));
      Batch batch(rows, V, 1000 + static_cast<uint64_t>(repeat));
      batch.greedy = repeat == 0 ? 0 : repeat == 1 ? ~uint32_t{0} : batch.greedy;
      expect_steps(batch, kSteps * kLaunches, [](const SampleParams& p, Stream stream) {
        SampleParams first = p;  // makes room for the work; changes nothing that is compared
        first.pos_device = nullptr;
        first.advance = false;
        sample_cuda(first, stream);
        CudaGraph graph(stream, [&] {
          Stream overlapped = stream;
          overlapped.overlap = cuda_devices().at(0).cc_major >= 9;
          for (int i = 0; i < kSteps; ++i) {
            sample_cuda(p, overlapped);
          }
        });
        for (int i = 0; i < kLaunches; ++i) {
          graph.launch(stream);
        }
        synchronize(stream);
      });
    }
  }
}

TEST(SampleCuda, HostMemoryIsRefused) {
  const Row row({1, 2, 3});
  const SampleParams p = row.params(make_sample_settings(1, 0, 1, 0, 1, 0), false, 0);
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "sample", [&] { sample_cuda(p, {}); }));
}

}  // namespace
}  // namespace ember::k::testing
