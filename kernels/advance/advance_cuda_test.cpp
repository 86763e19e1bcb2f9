// SPDX-License-Identifier: Apache-2.0
#include "kernels/advance/advance_cases.h"
#include "kernels/common/device_testing.h"

namespace ember::k::testing {
namespace {

TEST(AdvanceCuda, WritesOneEntryASequenceAndMovesThePositions) {
  EMBER_NEEDS_CUDA();
  const Stream stream = test_stream().get();
  for (const AdvanceCase& c : advance_cases()) {
    SCOPED_TRACE("R " + std::to_string(c.R) + " pos " + std::to_string(c.pos) + " B " +
                 std::to_string(c.count));
    std::vector<int32_t> words;  // ids, positions
    for (int64_t b = 0; b < c.count; ++b) {
      words.push_back(static_cast<int32_t>(4711 + b));
    }
    for (int64_t b = 0; b < c.count; ++b) {
      words.push_back(static_cast<int32_t>(c.pos - b));
    }
    const Shape all{2 * c.count};
    const Buffer memory(8 * c.count, Buffer::Fill::kPoison, DeviceMirror::device(), "words");
    const Buffer ring = Buffer::pinned(c.count * c.R * 4, Buffer::Fill::kPoison, "ring");
    cuda::upload(memory.view(DType::kI32, all), words.data(), stream);
    AdvanceParams p;
    p.device = DeviceMirror::device();
    p.id = memory.view(DType::kI32, {c.count});
    p.ring = TensorView(ring.data(), DType::kI32, {c.count, c.R});
    p.pos_device = static_cast<int32_t*>(memory.view(DType::kI32, {c.count}, 4 * c.count).data);
    p.count = c.count;
    advance_cuda(p, stream);
    cuda::download(memory.view(DType::kI32, all), words.data(), stream);
    const auto* entries = reinterpret_cast<const int32_t*>(ring.data());
    for (int64_t b = 0; b < c.count; ++b) {
      EXPECT_EQ(words[c.count + b], c.pos - b + 1) << b;
      for (int64_t r = 0; r < c.R; ++r) {
        EXPECT_EQ(entries[b * c.R + r], r == (c.pos - b) % c.R ? 4711 + b : -1) << b << " " << r;
      }
    }
    p.pos_device = nullptr;
    p.pos = c.pos + 1;
    advance_cuda(p, stream);
    synchronize(stream);
    for (int64_t b = 0; b < c.count; ++b) {
      EXPECT_EQ(entries[b * c.R + (c.pos + 1) % c.R], 4711 + b);
    }
  }
}

TEST(AdvanceCuda, HostMemoryIsRefused) {
  const TestTensor id(DType::kI32, {1}), ring(DType::kI32, {1, 4});
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "advance", [&] {
    advance_cuda({id, ring, 0, nullptr, {}}, {});
  }));
}

}  // namespace
}  // namespace ember::k::testing
