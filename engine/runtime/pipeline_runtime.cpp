// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/pipeline_runtime.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/backend/forwarding_backend.h"
#include "engine/backend/registry.h"
#include "engine/backend/slow_link.h"
#include "engine/core/clock.h"
#include "engine/core/log.h"
#include "engine/runtime/fp16_guard.h"
#include "engine/runtime/stage_loader.h"
#include "kernels/base/buffer.h"

namespace ember {
namespace {

std::vector<int64_t> available(const RuntimeOptions& options) {
  std::vector<int64_t> bytes;
  for (const DeviceId& device : options.devices) {
    bytes.push_back(options.mem_limit >= 0 ? options.mem_limit : available_bytes(device));
  }
  return bytes;
}

// `backends`, one a device of the options, say how weights are placed.
DeviceMap make_map(const IWeightSource& source, const RuntimeOptions& options,
                   const std::vector<const IBackend*>& backends) {
  if (!options.split.empty()) {
    return DeviceMap::explicit_split(source.config().shape.L, options.devices, options.split);
  }
  return DeviceMap::balance(part_bytes(source, *backends[0]), options.devices, available(options));
}

MemoryPlan make_plan(const IWeightSource& source, const RuntimeOptions& options,
                     const DeviceMap& map, std::vector<const IBackend*> backends) {
  PlanRequest request;
  request.context = options.context;
  request.chunk = options.chunk;
  request.logit_rows = options.logit_rows;
  request.batch = options.batch;
  request.limited = options.mem_limit >= 0;
  request.backends = std::move(backends);
  return plan_memory(source, map, request, available(options));
}

void check(const RuntimeOptions& options) {
  if (options.context < 1 || options.chunk < 1 || options.logit_rows < 1) {
    fail(ErrorKind::kUsage, "context, chunk and logit rows must be at least 1, got ",
         options.context, ", ", options.chunk, ", ", options.logit_rows);
  }
  if (options.batch < 1 || options.batch > kMaxBatch) {
    fail(ErrorKind::kUsage, "a batch is 1 to ", kMaxBatch, " sessions, got ", options.batch);
  }
}

}  // namespace

int64_t default_chunk(const std::vector<DeviceId>& devices) {
  return devices.size() == 1 && devices[0].kind == DeviceKind::kCuda ? 2048 : 512;
}

MemoryPlan plan_runtime(const IWeightSource& source, const RuntimeOptions& options) {
  check(options);
  std::vector<std::unique_ptr<IBackend>> owned;
  std::vector<const IBackend*> backends;
  for (const DeviceId& device : options.devices) {
    owned.push_back(make_backend(device, options.dtype));
    backends.push_back(owned.back().get());
  }
  return make_plan(source, options, make_map(source, options, backends), backends);
}

std::unique_ptr<IRuntime> make_runtime(std::shared_ptr<const IWeightSource> source,
                                       const RuntimeOptions& options) {
  return std::make_unique<PipelineRuntime>(std::move(source), options);
}

PipelineRuntime::PipelineRuntime(std::shared_ptr<const IWeightSource> source,
                                 const RuntimeOptions& options)
    : source_(std::move(source)),
      logit_rows_(options.logit_rows),
      batch_(options.batch),
      hop_path_(options.hop) {
  check(options);
  chunk_ = std::min(options.chunk, options.context);
  std::vector<const IBackend*> backends;
  for (const DeviceId& device : options.devices) {
    Stage s;
    s.backend = make_backend(device, options.dtype);
    if (options.decorate) {
      s.backend = options.decorate(std::move(s.backend), static_cast<int64_t>(stages_.size()));
    }
    if (!options.graph) {
      // Decorators keep the default bodies of composite ops, and those know no graphs.
      s.backend = std::make_unique<EagerBackend>(std::move(s.backend));
    }
    backends.push_back(s.backend.get());
    stages_.push_back(std::move(s));
  }
  map_ = make_map(*source_, options, backends);
  plan_ = make_plan(*source_, options, map_, backends);
  plan_.require_fits();

  load_weights(options);
  for (Stage& s : stages_) {
    s.work = StageWorkspace::make(*s.backend, config().shape, std::max(chunk_, batch_),
                                  std::max(logit_rows_, batch_), s.map.first, s.map.last);
  }
  make_hops(options.hop);
  make_turns();
  guard_fp16();
  if (!options.decorate) {
    warm_up();
  }
}

// On a GPU code is loaded and libraries are set up at first use, which takes longer than a short
// prompt. Passes whose results nobody sees move that from the first prompt to the load.
void PipelineRuntime::warm_up() {
  const auto on_gpu = [](const Stage& s) { return s.backend->device().kind == DeviceKind::kCuda; };
  if (std::none_of(stages_.begin(), stages_.end(), on_gpu)) {
    return;
  }
  const double start = now_seconds();
  const std::vector<int32_t> ids(32, 0);
  const int64_t lengths[] = {32, 16};  // with the matrix library, and with kernels of our own
  const auto session = new_session(lengths[0] + lengths[1] + 2);
  try {
    for (int64_t tokens : lengths) {
      prefill(*session, ids.data(), tokens, {});
    }
    for (bool greedy : {true, false}) {
      DecodeParams p;
      p.greedy = greedy;
      p.settings = k::make_sample_settings(1, 0, 1, 0, 0, 0);
      p.max_tokens = 1;
      start_decode(*session, ids[0], p)->next();
    }
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kWrong) {  // logits that are no numbers: the first prompt says so
      throw;
    }
  }
  verbose("first passes, which load the device's code: ",
          std::lround(1e3 * (now_seconds() - start)), " ms");
}

void PipelineRuntime::guard_fp16() {
  constexpr int64_t kTokens = 32;
  if (stages_[0].backend->activation_dtype() != DType::kF16 || chunk_ < 2) {
    return;  // one token runs as a recorded graph, which nothing can look into
  }
  std::vector<Fp16Calibration> calibrations;
  for (Stage& s : stages_) {
    for (const std::string& line :
         check_norm_gains(*source_, s.map.first_layer, s.map.layers, s.map.last)) {
      warning(line);
    }
    calibrations.emplace_back(*s.backend, s.weights);
  }
  std::vector<Watch> watch;
  for (Fp16Calibration& c : calibrations) {
    watch.push_back([&c](const TapPoint& at, const TensorView& v) { c.see(at, v); });
  }
  // Single characters, which a byte-level vocabulary begins with, and tokens from all over it.
  const int64_t tokens = std::min(kTokens, chunk_), vocab = config().shape.V;
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < tokens; ++i) {
    ids.push_back(static_cast<int32_t>((i % 2 == 0 ? i : i * (vocab / kTokens)) % vocab));
  }
  const auto session = new_session(tokens);
  for (size_t i = 0; i < stages_.size(); ++i) {
    run_pass(i, *session, {ids.data(), 0, tokens}, &watch[i]);
  }
  for (const Fp16Calibration& c : calibrations) {
    stages_[&c - calibrations.data()].backend->synchronize();
    if (!c.warnings().empty()) {  // what follows the first one mostly follows from it
      warning(c.warnings()[0], c.warnings().size() == 1
                                   ? std::string()
                                   : concat(" (and ", c.warnings().size() - 1, " more tensors)"));
    }
    if (!c.shifts().empty()) {
      verbose("fp16: activations of the feed-forward kept smaller: ", c.shifts());
    }
  }
}

void PipelineRuntime::load_weights(const RuntimeOptions& options) {
  const double start = now_seconds();
  const PartBytes stored = part_bytes(*source_, *make_backend(DeviceId{}, "auto"));
  int64_t total = 0, done = 0;
  for (size_t i = 0; i < stages_.size(); ++i) {
    Stage& s = stages_[i];
    s.map = map_.stages[i];
    total += stage_weight_bytes(s.map, stored, config().shape.tied);
  }
  for (size_t i = 0; i < stages_.size(); ++i) {
    Stage& s = stages_[i];
    const ProfileRange range(RangeKind::kLoad, plan_.stages[i].weights);
    s.backend->expect_weights(plan_.stages[i].weights);
    s.weights = load_stage(*source_, s.map, *s.backend, [&](int64_t bytes) {
      done += bytes;
      load_stats_.copied_bytes += s.backend->device().kind == DeviceKind::kCpu ? 0 : bytes;
      if (options.on_load) {
        options.on_load(done, total);
      }
    });
  }
  for (Stage& s : stages_) {
    s.backend->synchronize();
  }
  load_stats_.bytes = done;
  load_stats_.seconds = now_seconds() - start;
}

void PipelineRuntime::make_hops(HopPath path) {
  std::string note;
  for (size_t i = 0; i + 1 < stages_.size(); ++i) {
    const Stage &from = stages_[i], &to = stages_[i + 1];
    hops_.push_back(make_hop(*from.backend, *to.backend, from.work.x.bytes(), path, &note));
    verbose("stage ", i, " to ", i + 1, ": activations by ", hops_.back()->str());
  }
  if (!note.empty()) {
    notice(note);
  }
  if (const auto link = slow_link(); link && !hops_.empty()) {
    notice("EMBER_LINK: hops between stages take longer, as over a link of ", link->str());
  }
}

// With --devices 0,1,0,1 the device's stages would share it evenly, and each pass take twice as
// long to reach the next device; one after another they keep all devices busy.
void PipelineRuntime::make_turns() {
  const auto device = [](const Stage& s) { return s.backend->device(); };
  for (Stage& s : stages_) {
    const auto here = std::count_if(stages_.begin(), stages_.end(),
                                    [&](const Stage& o) { return device(o) == device(s); });
    const bool looped = here > 1 && here < static_cast<int64_t>(stages_.size());
    if (!looped || s.backend->queue().handle == nullptr) {
      continue;
    }
    s.turn = std::find_if(stages_.begin(), stages_.end(), [&](const Stage& o) {
               return device(o) == device(s);
             })->turn;
    if (s.turn == nullptr) {
      s.turn = std::make_shared<Event>(device(s));
    }
  }
}

std::unique_ptr<Session> PipelineRuntime::new_session(int64_t capacity) {
  EMBER_CHECK(capacity >= 1, "session capacity ", capacity);
  ensure_rope(capacity);
  std::vector<KvCache> caches;
  for (Stage& s : stages_) {
    caches.emplace_back(s.map.layers, config().shape, capacity, s.backend->cache_dtype(),
                        s.backend->device(), [&](int64_t bytes) {
                          Memory memory = s.backend->allocate(bytes);
                          if (s.backend->device().kind == DeviceKind::kCpu) {
                            prefer_small_pages(memory.get(), bytes);
                          }
                          return memory;
                        });
  }
  return std::make_unique<Session>(std::move(caches), capacity);
}

void PipelineRuntime::ensure_rope(int64_t capacity) {
  if (capacity <= rope_capacity_) {
    return;
  }
  for (Stage& s : stages_) {
    s.rope = RopeTable::make(*s.backend, config(), capacity);
  }
  rope_capacity_ = capacity;
}

void PipelineRuntime::check_ids(const Session& session, const int32_t* ids, int64_t n) const {
  EMBER_CHECK(n >= 1, "prefill of ", n, " tokens");
  if (n > session.capacity() - session.length()) {
    fail(ErrorKind::kUsage, "the context is full: ", session.length(), " tokens cached, ", n,
         " more do not fit in ", session.capacity(), "; raise -c");
  }
  for (int64_t i = 0; i < n; ++i) {
    if (ids[i] < 0 || ids[i] >= config().shape.V) {
      fail(ErrorKind::kUsage, "token id ", ids[i], " at position ", session.length() + i,
           " is outside the vocabulary 0..", config().shape.V - 1);
    }
  }
}

void Session::truncate(int64_t length) {
  EMBER_CHECK(length >= 0 && length <= this->length(), "truncate to ", length, " of ",
              this->length());
  ids_.resize(length);
}

}  // namespace ember
