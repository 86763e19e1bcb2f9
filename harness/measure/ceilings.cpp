// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/ceilings.h"

#include <algorithm>

#include "harness/measure/bandwidth.h"
#include "kernels/base/cuda_memory.h"
#include "kernels/linear/linear.h"
#include "kernels/random_weights/random_weights.h"

namespace ember {
namespace {

constexpr int64_t kDeviceBytes = int64_t{4} << 30, kHostBytes = int64_t{256} << 20;

class Bench {
 public:
  Bench(Meter& meter, const CeilingOptions& options, std::vector<Ceiling>* out)
      : meter_(meter),
        device_(meter.device()),
        cuda_(device_.kind == DeviceKind::kCuda),
        out_(out) {
    measure_.time_cap = options.time_cap;
    measure_.cache = CacheState::kHot;  // the buffers are many times any cache
    measure_.min_sample_seconds = 0;
  }

  // `amount` units (bytes, flops) in each run.
  Ceiling measured(const std::string& kind, const std::string& unit, double amount,
                   const Work& work) {
    const Measurement m = meter_.measure(work, measure_);
    const double best = amount / std::min(m.low, typical(m));
    return {kind, unit, amount / typical(m), amount / m.high, best, m.noisy};
  }

  void rate(const std::string& kind, const std::string& unit, double amount, const Work& work) {
    out_->push_back(measured(kind, unit, amount, work));
  }

  // The time that makes the ceiling: on a GPU, which one process has to itself, the median; on a
  // CPU, whose other users can halve a median, the shortest, as that is what it can do.
  double typical(const Measurement& m) const {
    return cuda_ || m.seconds.empty() ? m.median
                                      : *std::min_element(m.seconds.begin(), m.seconds.end());
  }

  void memory(int64_t bytes) {
    const Buffer a(bytes, Buffer::Fill::kZero, device_, "bandwidth");
    const Buffer b(bytes, Buffer::Fill::kZero, device_, "bandwidth");
    const Buffer sink(64, Buffer::Fill::kZero, device_, "sink");
    const double n = static_cast<double>(bytes);
    Ceiling read;
    for (const ReadPlan& plan : kReadPlans) {
      const Ceiling c = measured("mem_read", "B/s", n, work([&](Stream s) {
                                   read_memory(a.data(), bytes, sink.data(), device_, s, plan);
                                 }));
      read = faster(read, c);
      if (!cuda_) {
        break;  // the plans are a GPU's
      }
    }
    out_->push_back(read);
    rate("mem_write", "B/s", n, work([&](Stream s) { write_memory(b.data(), bytes, device_, s); }));
    rate("mem_copy", "B/s", 2 * n,
         work([&](Stream s) { copy_memory(b.data(), a.data(), bytes, device_, s); }));
  }

  // The best of a few shapes that fill the device.
  void gemm(DType dtype, std::vector<std::array<int64_t, 3>> shapes) {
    const int64_t largest = cuda_ ? 8192 : 1024;
    shapes.push_back({largest / 2, largest / 2, largest / 2});
    shapes.push_back({largest, largest, largest});
    Ceiling best;
    for (const auto& [T, N, K] : shapes) {
      const Buffer x = random({T, K}, dtype), w = random({N, K}, dtype);
      const Buffer y(T * N * dtype_bytes(dtype), Buffer::Fill::kNone, device_, "product");
      k::LinearParams p;
      p.x = x.view(dtype, {T, K});
      p.w = w.view(dtype, {N, K});
      p.y = y.view(dtype, {T, N});
      const double flops = static_cast<double>(k::cost(p).flops);
      const Ceiling c =
          measured("gemm_" + std::string(dtype_name(dtype)), "FLOP/s", flops,
                   work([&](Stream s) { cuda_ ? k::linear_cuda(p, s) : k::linear_cpu(p); }));
      best = faster(best, c);
    }
    out_->push_back(best);
  }

  void host_device() {
    const int64_t bytes = int64_t{256} << 20;
    const Buffer host = Buffer::pinned(bytes, Buffer::Fill::kZero, "pinned");
    const Buffer device(bytes, Buffer::Fill::kZero, device_, "copy target");
    const double n = static_cast<double>(bytes);
    Work h2d = work([&](Stream s) { cuda::copy_async(device.data(), host.data(), bytes, s); });
    Work d2h = work([&](Stream s) { cuda::copy_async(host.data(), device.data(), bytes, s); });
    h2d.graph = d2h.graph = false;
    rate("h2d", "B/s", n, h2d);
    rate("d2h", "B/s", n, d2h);
  }

  // What one more kernel of a graph costs when it has nothing to do.
  void launch_gaps() {
    MeasureOptions o = measure_;
    o.min_sample_seconds = 300e-6;
    const auto gap = [&](const std::string& kind, bool overlap) {
      const Measurement m = meter_.measure(work([&](Stream s) {
                                             s.overlap = s.overlap && overlap;
                                             empty_kernel(device_, s);
                                           }),
                                           o);
      out_->push_back({kind, "s", m.median, m.low, m.high, m.noisy});
    };
    gap("graph_node", false);
    gap("graph_node_overlapped", true);
  }

 private:
  static Ceiling faster(const Ceiling& a, const Ceiling& b) {
    return a.kind.empty() || b.value > a.value ? b : a;
  }

  static Work work(std::function<void(Stream)> run) {
    Work w;
    w.run = [run = std::move(run)](int64_t, Stream s) { run(s); };
    return w;
  }

  Buffer random(const Shape& shape, DType dtype) const {
    Buffer b(shape.numel() * dtype_bytes(dtype), Buffer::Fill::kNone, device_, "operand");
    k::RandomWeightsParams p;
    p.y = b.view(dtype, shape);
    p.stream = static_cast<uint64_t>(shape.numel());
    cuda_ ? k::random_weights_cuda(p, meter_.stream()) : k::random_weights_cpu(p);
    return b;
  }

  Meter& meter_;
  DeviceId device_;
  bool cuda_;
  MeasureOptions measure_;
  std::vector<Ceiling>* out_;
};

}  // namespace

Ceilings Ceilings::measure(Meter& meter, const CeilingOptions& options) {
  Ceilings c;
  const bool cuda = meter.device().kind == DeviceKind::kCuda;
  Bench bench(meter, options, &c.all_);
  bench.memory(options.bytes > 0 ? options.bytes : cuda ? kDeviceBytes : kHostBytes);
  for (const DType dtype : options.gemm) {
    bench.gemm(dtype, options.gemm_shapes);
  }
  if (cuda) {
    bench.launch_gaps();
    if (options.host_device) {
      bench.host_device();
    }
  }
  return c;
}

const Ceiling* Ceilings::find(const std::string& kind) const {
  const auto found =
      std::find_if(all_.begin(), all_.end(), [&](const Ceiling& c) { return c.kind == kind; });
  return found == all_.end() ? nullptr : &*found;
}

double Ceilings::value(const std::string& kind) const {
  const Ceiling* c = find(kind);
  return c == nullptr ? 0 : c->value;
}

}  // namespace ember
