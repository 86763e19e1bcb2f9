// SPDX-License-Identifier: Apache-2.0
#include "kernels/advance/advance_cases.h"
#include "kernels/common/device_testing.h"

namespace ember::k::testing {
namespace {

TEST(AdvanceCuda, WritesOneEntryAndMovesThePosition) {
  EMBER_NEEDS_CUDA();
  const Stream stream = test_stream().get();
  for (const AdvanceCase& c : advance_cases()) {
    SCOPED_TRACE("R " + std::to_string(c.R) + " pos " + std::to_string(c.pos));
    int32_t values[2] = {4711, static_cast<int32_t>(c.pos)};  // id, position
    const Buffer memory(sizeof values, Buffer::Fill::kPoison, DeviceMirror::device(), "words");
    const Buffer ring = Buffer::pinned(c.R * 4, Buffer::Fill::kPoison, "ring");
    cuda::upload(memory.view(DType::kI32, {2}), values, stream);
    AdvanceParams p;
    p.device = DeviceMirror::device();
    p.id = memory.view(DType::kI32, {1});
    p.ring = TensorView(ring.data(), DType::kI32, {c.R});
    p.pos_device = static_cast<int32_t*>(memory.view(DType::kI32, {1}, 4).data);
    advance_cuda(p, stream);
    cuda::download(memory.view(DType::kI32, {2}), values, stream);
    EXPECT_EQ(values[1], c.pos + 1);
    const auto* entries = reinterpret_cast<const int32_t*>(ring.data());
    for (int64_t r = 0; r < c.R; ++r) {
      EXPECT_EQ(entries[r], r == c.pos % c.R ? 4711 : -1) << r;
    }
    p.pos_device = nullptr;
    p.pos = c.pos + 1;
    advance_cuda(p, stream);
    synchronize(stream);
    EXPECT_EQ(entries[(c.pos + 1) % c.R], 4711);
  }
}

TEST(AdvanceCuda, HostMemoryIsRefused) {
  const TestTensor id(DType::kI32, {1}), ring(DType::kI32, {4});
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "advance", [&] {
    advance_cuda({id, ring, 0, nullptr, {}}, {});
  }));
}

}  // namespace
}  // namespace ember::k::testing
