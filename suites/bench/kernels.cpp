// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/kernels.h"

#include <algorithm>
#include <optional>

#include "harness/environment.h"
#include "harness/measure/planted_delay.h"
#include "kernels/base/error.h"
#include "kernels/base/launch_log.h"
#include "kernels/decode_layers/decode_layers.h"
#include "suites/bench/case_choice.h"

namespace ember {
namespace {

// The most of any launch; nothing where nothing was launched, as on the CPU.
std::optional<report::KernelResources> resources(const std::vector<KernelLaunch>& launches) {
  if (launches.empty()) {
    return {};
  }
  report::KernelResources all;
  const auto raise = [](std::optional<int64_t>* most, int64_t value) {
    *most = std::max(most->value_or(0), value);
  };
  for (const KernelLaunch& l : launches) {
    report::KernelLaunch& one = all.launches.emplace_back();
    one.kernel = l.kernel;
    if (!l.library) {
      one.registers = l.registers;
      one.shared_bytes = l.shared_bytes;
      one.spill_bytes = l.local_bytes;
      one.threads = l.threads;
      one.blocks = l.blocks;
      raise(&all.registers, l.registers);
      raise(&all.shared_bytes, l.shared_bytes);
      raise(&all.spill_bytes, l.local_bytes);
    }
  }
  return all;
}

class Kernels {
 public:
  Kernels(Meter& meter, const std::string& model, DType dtype, const Ceilings& ceilings,
          const KernelsOptions& options, report::Report* out)
      : meter_(meter),
        model_(model),
        dtype_(dtype),
        ceilings_(ceilings),
        options_(options),
        choice_(options.filter, options.ids_file),
        out_(out) {}

  void run(const PassShape& shape, CacheState cache) {
    double sum = 0;
    bool complete = true;
    const bool all =
        choice_.wants(report::case_id(report::Kind::kKernel, "sum", params(shape, cache)));
    for (const StepKernelInfo& info : step_kernels(shape)) {
      report::Case c;
      c.kind = report::Kind::kKernel;
      c.params = params(shape, cache);
      c.id = report::case_id(c.kind, info.name, c.params);
      const bool wanted = choice_.wants(c.id);
      if (!all && !wanted) {
        continue;
      }
      measure(info, cache, &c);
      complete = complete && c.verified == true;
      if (!c.samples.empty()) {
        sum += static_cast<double>(info.count) * last_.median;
      }
      if (wanted) {
        out_->cases.push_back(std::move(c));
      }
    }
    if (all && complete) {
      add_sum(shape, cache, sum);
    }
  }

 private:
  report::Params params(const PassShape& shape, CacheState cache) const {
    return {{"cached", static_cast<double>(shape.cached)},
            {"dtype", std::string(dtype_name(dtype_))},
            {"l2", std::string(name(cache))},
            {"model", model_},
            {"tokens", static_cast<double>(shape.tokens)}};
  }

  void measure(const StepKernelInfo& info, CacheState cache, report::Case* c) {
    c->metric = report::Metric::kTime;
    try {
      const std::unique_ptr<StepKernel> kernel = info.make(meter_);
      std::string wrong;
      {
        const LaunchLog log;  // of the verifying run: a timed one is not slowed
        wrong = kernel->verify(meter_);
        c->kernel = resources(log.launches());
      }
      c->verified = wrong.empty();
      if (!wrong.empty()) {
        c->status = report::Status::kFailed;
        c->reason = "verification: " + wrong;
        return;
      }
      const Cost cost = kernel->cost();
      Work work;
      work.run = [&](int64_t copy, Stream s) { kernel->run(copy, s); };
      work.copies = cache == CacheState::kCold ? kernel->copies : 1;
      work.bytes = cost.bytes();
      MeasureOptions o = options_.measure;
      o.planted_delay = planted_delay(c->id);
      // What has no weights or cache of its own finds activations where its predecessor left them.
      o.cache = kernel->copies > 1 ? cache : CacheState::kHot;
      last_ = meter_.measure(work, o);
      record(info, cost, c);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::kOutOfMemory) {
        throw;
      }
      c->status = report::Status::kSkipped;
      c->reason = e.what();
    }
  }

  void record(const StepKernelInfo& info, const Cost& cost, report::Case* c) {
    report::Samples samples;
    samples.order = order_++;
    samples.values = last_.seconds;
    if (last_.sm_mhz > 0) {
      samples.clock_mhz = last_.sm_mhz;
    }
    c->samples.push_back(std::move(samples));
    c->excluded_warmup = last_.warmup;
    c->excluded_throttled = last_.throttled;
    c->stop = last_.noisy ? "cap" : "interval";
    c->work = report::Work{static_cast<double>(cost.bytes()), static_cast<double>(cost.flops), {}};
    if (last_.noisy) {
      c->status = report::Status::kNoisy;
      c->reason = last_.doubt;
    }
    hold_against_ceiling(info, cost, c);
  }

  void hold_against_ceiling(const StepKernelInfo& info, const Cost& cost, report::Case* c) {
    const std::string kind =
        info.arithmetic ? "gemm_" + std::string(dtype_name(dtype_)) : std::string("mem_read");
    const double rate =
        static_cast<double>(info.arithmetic ? cost.flops : cost.bytes()) / last_.median;
    // Operands that fit the cache are read faster than memory gives them: no ceiling then.
    const bool cached = !info.arithmetic && cost.bytes() < meter_.cache_bytes();
    if (!(cached && rate > ceilings_.value(kind))) {
      hold_against(c, ceilings_, kind, meter_.device(), rate);
    }
  }

  void add_sum(const PassShape& shape, CacheState cache, double seconds) {
    report::Case c;
    c.kind = report::Kind::kKernel;
    c.params = params(shape, cache);
    c.id = report::case_id(c.kind, "sum", c.params);
    c.metric = report::Metric::kTime;
    c.verified = true;
    c.gate = false;  // its parts are gated
    c.samples.push_back({0, order_++, {}, {seconds}});
    c.stop = "count";
    out_->cases.push_back(std::move(c));
  }

  Meter& meter_;
  std::string model_;
  DType dtype_;
  const Ceilings& ceilings_;
  const KernelsOptions& options_;
  CaseChoice choice_;
  report::Report* out_;
  Measurement last_;
  int64_t order_ = 0;
};

}  // namespace

void bench_kernels(Meter& meter, const std::string& model, const ModelShape& shape, DType dtype,
                   const Ceilings& ceilings, const KernelsOptions& options, report::Report* out) {
  Kernels bench(meter, model, dtype, ceilings, options, out);
  PassShape pass;
  pass.model = shape;
  pass.dtype = dtype;
  pass.activation = meter.device().kind == DeviceKind::kCuda ? dtype : DType::kF32;
  for (const CacheState cache : {CacheState::kCold, CacheState::kHot}) {
    if (!(cache == CacheState::kCold ? options.cold : options.hot)) {
      continue;
    }
    for (const int64_t depth : options.depths) {
      for (const int64_t tokens : options.tokens) {
        pass.tokens = tokens;
        pass.fused = tokens == 1 && meter.device().kind == DeviceKind::kCuda;
        pass.resident = pass.fused && k::decode_layers_chosen(shape, dtype, meter.device());
        pass.cached = depth;
        bench.run(pass, cache);
      }
    }
  }
}

}  // namespace ember
