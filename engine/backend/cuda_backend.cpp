// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda_backend.h"

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "engine/backend/graph_cache.h"
#include "engine/backend/pinned_staging.h"
#include "kernels/base/buffer.h"
#include "kernels/base/cuda_memory.h"
#include "kernels/base/profile.h"
#include "kernels/common/gemv_plan.h"
#include "kernels/copy/copy.h"

namespace ember {
namespace {

constexpr int64_t kSlotBytes = int64_t{16} << 20;
constexpr int kSlots = 4;
constexpr int64_t kAlign = 256;  // of weights
// Kernels of ours and of the library, loaded at first use, recorded graphs, and what the driver
// rounds allocations up to. An estimate: a test holds it against what a run really takes.
constexpr int64_t kCodeBytes = int64_t{160} << 20;
constexpr size_t kMaxGraphs = 8;
constexpr int kHopper = 9;  // compute capability from which kernels of a stream may overlap

const CudaDeviceInfo device_info(DeviceId device) {
  for (const CudaDeviceInfo& gpu : cuda_devices()) {
    if (gpu.index == device.index) {
      return gpu;
    }
  }
  fail(ErrorKind::kNoDevice, "CUDA device ", device.index, " cannot be used");
}

class CudaBackend : public IBackend {
 public:
  CudaBackend(DeviceId device, DType dtype)
      : device_(device),
        dtype_(dtype),
        info_(device_info(device)),
        stream_(device),
        staging_(device, kSlotBytes, kSlots),
        positions_(kMaxBatch * sizeof(int32_t), Buffer::Fill::kZero, device, "positions") {}

  ~CudaBackend() override { graphs_.clear(); }

  std::string name() const override { return "cuda"; }
  DeviceId device() const override { return device_; }
  DType activation_dtype() const override { return dtype_; }
  DType cache_dtype() const override { return dtype_; }

  Memory allocate(int64_t bytes) override {
    auto buffer = std::make_shared<Buffer>(bytes, Buffer::Fill::kNone, device_, "device memory");
    return Memory(buffer, buffer->data());
  }

  int64_t placed_bytes(int64_t elements, int64_t stored, bool matrix) const override {
    return align(matrix ? elements * dtype_bytes(dtype_) : stored);
  }

  std::vector<MemoryItem> stage_memory(const ModelShape& m, DType stored,
                                       int64_t batch) const override {
    std::vector<MemoryItem> items = {
        {"cuBLASLt workspace", k::kLinearScratchBytes},
        {"split attention", k::attention_scratch_bytes(m.K, m.E, info_.sm_count) +
                                k::attention_step_scratch_bytes(m.H, m.K, m.E, info_.sm_count)},
        {"sampling", k::sample_scratch_bytes(m.V, batch)}};
    if (k::decode_layers_chosen(m, dtype_, device_)) {
      items.push_back({"layers in one kernel",
                       k::decode_layers_scratch_bytes(m.D, m.H, m.K, m.F, info_.sm_count)});
    }
    if (stored != dtype_) {
      items.push_back({"weight conversion", kSlotBytes});
    }
    return items;
  }

  std::vector<MemoryItem> device_memory() const override {
    return {{"CUDA code and graphs", kCodeBytes}};
  }

  void expect_weights(int64_t bytes) override {
    arena_ = &placed_.emplace_back(bytes, Buffer::Fill::kNone, device_, "weights");
    arena_used_ = 0;
  }

  TensorView place(const TensorView& host) override {
    return place_rows({host}, host.shape, host.shape.rank() < 2 ? host.dtype : dtype_);
  }

  Linear place_linear(const std::vector<TensorView>& blocks) override {
    int64_t rows = 0;
    for (const TensorView& b : blocks) {
      rows += b.shape[0];
    }
    Linear w;
    w.blocks[w.count++] = place_rows(blocks, {rows, blocks.at(0).shape[1]}, dtype_);
    return w;
  }

  void upload(const TensorView& to, const void* host) override {
    if (to.dense()) {
      staging_.upload(to.data, host, to.bytes(), stream_.get());
    } else {
      cuda::upload(to, host, stream_.get());
    }
  }

  void download(const TensorView& from, void* host) override {
    if (from.dense()) {
      staging_.download(host, from.data, from.bytes(), stream_.get());
    } else {
      cuda::download(from, host, stream_.get());
    }
  }

  void synchronize() override { ember::synchronize(stream_.get()); }
  Stream queue() const override { return stream_.get(); }

  void embed(const k::EmbedParams& p) override {
    const ProfileRange range(RangeKind::kEmbed, p.y.shape[0]);
    k::embed_cuda(p, stream());
  }
  void rmsnorm(const k::RmsNormParams& p) override {
    const ProfileRange range(RangeKind::kRmsNorm, p.y.shape[0]);
    k::rmsnorm_cuda(p, stream());
  }
  void linear(const k::LinearParams& p) override {
    const ProfileRange range(RangeKind::kLinear, p.w.shape[0]);
    k::linear_cuda(p, stream());
  }
  void qk_norm_rope(const k::QkNormRopeParams& p) override {
    const ProfileRange range(RangeKind::kQkNormRope, p.q.shape[0]);
    k::qk_norm_rope_cuda(positioned(p), stream());
  }
  void attention(const k::AttentionParams& p) override {
    const ProfileRange range(RangeKind::kAttention, p.pos);
    k::attention_cuda(positioned(p), stream());
  }
  void swiglu(const k::SwigluParams& p) override {
    const ProfileRange range(RangeKind::kSwiglu, p.y.shape[0]);
    k::swiglu_cuda(p, stream());
  }
  void sample(const k::SampleParams& p) override {
    const ProfileRange range(RangeKind::kSample, p.pos + 1);
    k::sample_cuda(positioned(p), stream());
  }
  void advance(const k::AdvanceParams& p) override { k::advance_cuda(positioned(p), stream()); }

  bool norm_linear(const k::NormLinearParams& p) override {
    if (!k::norm_linear_takes(p)) {
      return false;
    }
    const ProfileRange range(RangeKind::kLinear, p.w.shape[0]);
    k::norm_linear_cuda(p, stream());
    return true;
  }
  bool attention_step(const k::AttentionStepParams& p, const ModelShape& shape) override {
    if (!k::attention_step_pays(p.count, shape.D)) {
      return false;
    }
    const ProfileRange range(RangeKind::kAttention, p.slots[0].pos);
    k::AttentionStepParams step = p;
    for (int64_t i = 0; i < p.count; ++i) {
      step.slots[i] = positioned(step.slots[i]);
    }
    step.settled = graphs_.recording();
    k::attention_step_cuda(step, stream());
    return true;
  }
  bool decode_layers(const k::DecodeLayersParams& p, const ModelShape& shape) override {
    if (!k::decode_layers_chosen(shape, dtype_, device_) || !k::decode_layers_takes(p)) {
      return false;
    }
    const ProfileRange range(RangeKind::kDecodeLayers, p.count);
    k::decode_layers_cuda(positioned(p), stream());
    return true;
  }
  k::Prefetch ahead_of(const Linear& w, int64_t bytes) const override {
    if (w.count != 1 || !k::prefetch_pays(info_.cc_major, info_.l2_bytes)) {
      return {};
    }
    const TensorView& m = w.blocks[0];
    const k::GemvPlan plan = k::plan_gemv(m.shape[0], m.shape[1], info_.sm_count);
    return k::prefetch_for(plan, m.data, m.shape[0], m.shape[1], bytes);
  }

  void run_stage(const StageArgs& a) override {
    if (a.tokens != 1 || !a.step) {
      IBackend::run_stage(a);
      return;
    }
    set_position(a.pos);
    graphs_.replay(graph_key(a, GraphKind::kStage, 0), stream_.get(),
                   [&] { IBackend::run_stage(a); });
  }

  void run_head(const StageArgs& a, int64_t first_row, int64_t rows) override {
    if (rows != 1 || a.tokens != 1 || !a.step) {
      IBackend::run_head(a, first_row, rows);
      return;
    }
    graphs_.replay(graph_key(a, GraphKind::kHead, first_row), stream_.get(),
                   [&] { IBackend::run_head(a, first_row, rows); });
  }

  // The whole step is one graph. It ends by moving the position on, so that the next step at the
  // next position needs nothing from the host but its launch.
  void run_token(const StageArgs& a, const TokenArgs& t) override {
    if (a.batch != nullptr) {
      run_batch(a, t);
      return;
    }
    set_position(a.pos);
    const GraphKey key = graph_key(a, GraphKind::kToken, 0, a.last ? &t : nullptr);
    const bool recorded = graphs_.replay(key, stream_.get(), [&] {
      IBackend::run_stage(a);
      if (a.last) {
        IBackend::run_head(a, 0, 1);
      }
      choose_token(a, t);
    });
    position_values_[0] += recorded ? 1 : 0;
  }

 private:
  // run_token of several sequences: their positions lie in device memory from the start.
  void run_batch(const StageArgs& a, const TokenArgs& t) {
    std::vector<SequenceArgs> batch = *a.batch;
    std::vector<int64_t> at;
    for (SequenceArgs& s : batch) {
      s.pos_device = positions() + at.size();
      at.push_back(s.pos);
    }
    set_positions(at);
    StageArgs step = a;
    step.batch = &batch;
    graphs_.replay(graph_key(a, GraphKind::kToken, 0, a.last ? &t : nullptr), stream_.get(), [&] {
      IBackend::run_stage(step);
      if (a.last) {
        IBackend::run_head(step, 0, a.tokens);
      }
      choose_token(step, t);
    });
    for (size_t i = 0; i < batch.size(); ++i) {
      ++position_values_[i];
    }
  }

  // Outside a recording the position comes from the host; inside, it lies in device memory, so that
  // one recording serves every position.
  template <class P>
  P positioned(P p) const {
    if (graphs_.recording() && p.pos_device == nullptr) {
      p.pos_device = positions();
      p.pos = 0;
    }
    return p;
  }

  int32_t* positions() const { return reinterpret_cast<int32_t*>(positions_.data()); }

  void set_positions(const std::vector<int64_t>& at) {
    if (!std::equal(at.begin(), at.end(), position_values_.begin())) {
      std::copy(at.begin(), at.end(), position_values_.begin());
      upload(positions_.view(DType::kI32, {static_cast<int64_t>(at.size())}),
             position_values_.data());
    }
  }
  void set_position(int64_t pos) {
    if (position_values_[0] != pos) {
      set_positions({pos});
    }
  }

  Stream stream() const {
    Stream s = stream_.get();
    s.overlap = graphs_.recording() && info_.cc_major >= kHopper;
    return s;
  }

  static int64_t align(int64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

  // In the memory that was announced, or in an allocation of its own.
  TensorView room_for(DType dtype, const Shape& shape) {
    const int64_t bytes = align(shape.numel() * dtype_bytes(dtype));
    if (arena_ != nullptr && bytes <= arena_->bytes() - arena_used_) {
      arena_used_ += bytes;
      return arena_->view(dtype, shape, arena_used_ - bytes);
    }
    return placed_.emplace_back(bytes, Buffer::Fill::kNone, device_, "weights").view(dtype, shape);
  }

  // Blocks of rows, one after another, in device memory that lives as long as the backend.
  TensorView place_rows(const std::vector<TensorView>& blocks, const Shape& shape, DType dtype) {
    const TensorView all = room_for(dtype, shape);
    int64_t at = 0;  // elements
    for (const TensorView& b : blocks) {
      EMBER_CHECK(b.dense() && b.shape.last() == shape.last(), "weights ", b.shape.str(), " for ",
                  shape.str());
      place_elements(static_cast<std::byte*>(all.data) + at * dtype_bytes(dtype), dtype, b);
      at += b.numel();
    }
    EMBER_CHECK(at == shape.numel(), "placed ", at, " elements of ", shape.str());
    return all;
  }

  void place_elements(std::byte* to, DType dtype, const TensorView& host) {
    if (host.dtype == dtype) {
      staging_.upload(to, host.data, host.bytes(), stream_.get());
      return;
    }
    if (converting_.bytes() == 0) {
      converting_ = Buffer(kSlotBytes, Buffer::Fill::kNone, device_, "weight conversion");
    }
    const int64_t from_size = dtype_bytes(host.dtype), to_size = dtype_bytes(dtype);
    staging_.upload_pieces(
        converting_.data(), host.data, host.bytes(), stream_.get(),
        [&](int64_t offset, int64_t bytes) {
          const Shape piece{bytes / from_size};
          k::copy_cuda({TensorView(to + offset / from_size * to_size, dtype, piece, device_),
                        converting_.view(host.dtype, piece)},
                       stream_.get());
        });
  }

  DeviceId device_;
  DType dtype_;
  CudaDeviceInfo info_;
  OwnedStream stream_;
  PinnedStaging staging_;
  Buffer positions_;                                     // (kMaxBatch) I32
  std::array<int32_t, kMaxBatch> position_values_ = {};  // that the work enqueued leaves in them
  Buffer converting_;
  std::deque<Buffer> placed_;
  Buffer* arena_ = nullptr;  // of placed_
  int64_t arena_used_ = 0;
  GraphCache graphs_{kMaxGraphs};
};

}  // namespace

std::unique_ptr<IBackend> make_cuda_backend(DeviceId device, DType dtype) {
  return std::make_unique<CudaBackend>(device, dtype);
}

}  // namespace ember
