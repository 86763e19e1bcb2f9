// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu_backend.h"

#include <cstring>

#include "kernels/base/buffer.h"
#include "kernels/base/profile.h"

namespace ember {
namespace {

// Calls visit(byte offset in a dense tensor, address in the view, bytes) for each contiguous run.
template <class Visit>
void for_each_run(const TensorView& v, const Visit& visit) {
  const int64_t size = dtype_bytes(v.dtype);
  char* base = static_cast<char*>(v.data);
  if (v.dense()) {
    visit(int64_t{0}, base, v.bytes());
    return;
  }
  const int rank = v.shape.rank();
  EMBER_CHECK(rank == 2 || rank == 3, "strided copy of ", v.shape.str());
  const int64_t planes = rank == 3 ? v.shape[0] : 1;
  const int64_t rows = v.shape[rank - 2];
  const int64_t row_bytes = v.shape.last() * size;
  for (int64_t p = 0; p < planes; ++p) {
    for (int64_t r = 0; r < rows; ++r) {
      visit((p * rows + r) * row_bytes, base + (p * v.plane_stride + r * v.row_stride) * size,
            row_bytes);
    }
  }
}

class CpuBackend : public IBackend {
 public:
  std::string name() const override { return "cpu"; }
  DeviceId device() const override { return {DeviceKind::kCpu, 0}; }
  DType activation_dtype() const override { return DType::kF32; }
  DType cache_dtype() const override { return DType::kF32; }

  Memory allocate(int64_t bytes) override {
    auto buffer = std::make_shared<Buffer>(bytes);
    return Memory(buffer, buffer->data());
  }
  TensorView place(const TensorView& host) override { return host; }
  Linear place_linear(const std::vector<TensorView>& blocks) override {
    EMBER_CHECK(blocks.size() >= 1 && blocks.size() <= 3, "blocks: ", blocks.size());
    Linear w;
    for (const TensorView& b : blocks) {
      w.blocks[w.count++] = b;
    }
    return w;
  }
  void upload(const TensorView& to, const void* host) override {
    for_each_run(to, [&](int64_t offset, char* at, int64_t n) {
      std::memcpy(at, static_cast<const char*>(host) + offset, n);
    });
  }
  void download(const TensorView& from, void* host) override {
    for_each_run(from, [&](int64_t offset, const char* at, int64_t n) {
      std::memcpy(static_cast<char*>(host) + offset, at, n);
    });
  }
  void synchronize() override {}

  void embed(const k::EmbedParams& p) override {
    const ProfileRange range(RangeKind::kEmbed, p.y.shape[0]);
    k::embed_cpu(p);
  }
  void rmsnorm(const k::RmsNormParams& p) override {
    const ProfileRange range(RangeKind::kRmsNorm, p.y.shape[0]);
    k::rmsnorm_cpu(p);
  }
  void linear(const k::LinearParams& p) override {
    const ProfileRange range(RangeKind::kLinear, p.w.shape[0]);
    k::linear_cpu(p);
  }
  void qk_norm_rope(const k::QkNormRopeParams& p) override {
    const ProfileRange range(RangeKind::kQkNormRope, p.q.shape[0]);
    k::qk_norm_rope_cpu(p);
  }
  void attention(const k::AttentionParams& p) override {
    const ProfileRange range(RangeKind::kAttention, p.pos);
    k::attention_cpu(p);
  }
  void swiglu(const k::SwigluParams& p) override {
    const ProfileRange range(RangeKind::kSwiglu, p.y.shape[0]);
    k::swiglu_cpu(p);
  }
  void sample(const k::SampleParams& p) override {
    const ProfileRange range(RangeKind::kSample, p.pos + 1);
    k::sample_cpu(p);
  }
  void advance(const k::AdvanceParams& p) override { k::advance_cpu(p); }
};

}  // namespace

std::unique_ptr<IBackend> make_cpu_backend() {
  return std::make_unique<CpuBackend>();
}

}  // namespace ember
