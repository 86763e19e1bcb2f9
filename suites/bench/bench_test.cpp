// SPDX-License-Identifier: Apache-2.0
// The benches on the CPU: what they report of a small model adds up, and what is wrong is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include "engine/backend/forwarding_backend.h"
#include "harness/environment.h"
#include "kernels/base/error.h"
#include "kernels/base/temporary_directory.h"
#include "reports/stats.h"
#include "reports/writer.h"
#include "suites/bench/decode_layers_kernel.h"
#include "suites/bench/e2e.h"
#include "suites/bench/engine_check.h"
#include "suites/bench/operands.h"
#include "suites/bench/phases.h"
#include "suites/bench/scenario.h"

namespace ember {
namespace {

const std::string kTiny = std::string(EMBER_SOURCE_DIR) + "/golden/models/tiny";

template <class Timer>
std::unique_ptr<IRuntime> runtime(Timer& timer, size_t stages) {
  RuntimeOptions o;
  o.devices.assign(stages, DeviceId{});
  o.context = 128;
  o.batch = 2;
  o.decorate = [&](std::unique_ptr<IBackend> b, int64_t stage) {
    return timer.decorate(std::move(b), stage);
  };
  return make_runtime(open_weights("random:tiny:bf16"), o);
}

// Notes how many elements each copy to the host had.
class Downloads : public EagerBackend {
 public:
  Downloads(std::unique_ptr<IBackend> inner, std::vector<int64_t>* sizes)
      : EagerBackend(std::move(inner)), sizes_(sizes) {}
  void download(const TensorView& from, void* host) override {
    sizes_->push_back(from.numel());
    EagerBackend::download(from, host);
  }

 private:
  std::vector<int64_t>* sizes_;
};

const report::Case* find(const report::Report& r, const std::string& start,
                         const std::string& part = "") {
  for (const report::Case& c : r.cases) {
    if (c.id.rfind(start, 0) == 0 && c.id.find(part) != std::string::npos) {
      return &c;
    }
  }
  ADD_FAILURE() << "no case " << start << " … " << part;
  static const report::Case none;
  return &none;
}

double median(const report::Case* c) {
  return c->samples.empty() ? 0 : report::median(c->samples[0].values);
}

TEST(E2eBench, CasesOfOneScenario) {
  StageTimer timer;
  const auto two = runtime(timer, 2);
  E2eOptions o;
  o.model = "tiny";
  o.prompts = {8};
  o.depths = {16};
  o.tokens = 12;
  o.batches = {1, 2};
  o.repetitions = 3;
  report::Report r = start_report({"test"}, {DeviceId{}});
  bench_e2e(*two, Ceilings(), o, &timer, &r);
  EXPECT_EQ(r.cases.size(), 2u + 4 + 4);
  const report::Case* decode = find(r, "e2e/decode/depth");
  EXPECT_EQ(decode->samples[0].values.size(), 36u);
  EXPECT_EQ(decode->output_sha256.value_or("").size(), 64u);
  EXPECT_EQ(find(r, "e2e/prefill/")->samples[0].values.size(), 3u);
  EXPECT_NEAR(median(find(r, "e2e/prefill_rate/")) * median(find(r, "e2e/prefill/")), 8, 1);
  EXPECT_LT(median(find(r, "e2e/decode_given/")), 10 * median(decode));
  // One thread runs both stages in turn: together they are busy for the whole time at most.
  for (const report::Case* c : {decode, find(r, "e2e/prefill/")}) {
    ASSERT_EQ(c->stages.size(), 2u) << c->id;
    double busy = 0;
    for (const report::Stage& s : c->stages) {
      EXPECT_GT(*s.busy_share, 0.02) << c->id;
      EXPECT_NEAR(*s.busy_share + *s.bubble_share, 1, 1e-12);
      EXPECT_TRUE(s.hop_s.has_value() || c != decode);
      busy += *s.busy_share;
    }
    EXPECT_LE(busy, 1.001) << c->id;
  }
  EXPECT_NO_THROW(report::to_json(r));
  // The same ids whenever and however often they are asked for.
  report::Report again = start_report({"test"}, {DeviceId{}});
  StageTimer other;
  bench_e2e(*runtime(other, 1), Ceilings(), o, nullptr, &again);
  EXPECT_EQ(find(again, "e2e/decode/depth")->output_sha256, decode->output_sha256);
  EXPECT_NE(find(again, "e2e/decode/batch")->output_sha256, decode->output_sha256);
}

// What is timed as the first token is what a user waits for: chosen where its logits are.
TEST(E2eBench, NoLogitsReachTheHost) {
  std::vector<int64_t> sizes;
  RuntimeOptions options;
  options.context = 64;
  options.decorate = [&](std::unique_ptr<IBackend> b, int64_t) {
    return std::make_unique<Downloads>(std::move(b), &sizes);
  };
  const auto one = make_runtime(open_weights("random:tiny:bf16"), options);
  Scenario scenario(*one, {0, 9, 3, 1});
  sizes.clear();
  const Repetition r = scenario.run();
  EXPECT_EQ(sizes, std::vector<int64_t>{1});  // the first id; later ones come through the stream
  const auto session = one->new_session(9);
  const TensorView logits = one->prefill(*session, prompt_ids(9, one->config().shape.V).data(), 9);
  const float* row = logits.as<float>();
  EXPECT_EQ(r.ids.at(0), std::max_element(row, row + logits.numel()) - row);
}

// Hops take as much longer as the bytes need over the planted link; the tokens stay the same.
TEST(E2eBench, ASlowLinkShowsInTheHops) {
  E2eOptions o;
  o.model = "tiny";
  o.prompts = {32};
  o.tokens = 12;
  o.repetitions = 1;
  const auto measured = [&](const char* link) {
    setenv("EMBER_LINK", link, 1);
    StageTimer timer;
    const auto two = runtime(timer, 2);
    report::Report r = start_report({"test"}, {DeviceId{}});
    bench_e2e(*two, Ceilings(), o, &timer, &r);
    unsetenv("EMBER_LINK");
    EXPECT_NO_THROW(report::to_json(r));
    return r;
  };
  const report::Report plain = measured(""), slow = measured("0.01,20000");
  const auto width = static_cast<double>(open_weights("random:tiny:bf16")->config().shape.D);
  for (const auto& [name, tokens] : {std::pair("e2e/prefill/", 32), std::pair("e2e/decode/", 1)}) {
    const double want = 20e-3 + 4 * tokens * width / 10e6;
    const report::Case *a = find(plain, name), *b = find(slow, name);
    EXPECT_LT(*a->stages[0].hop_s, want / 2) << name;
    EXPECT_GE(*b->stages[0].hop_s, want) << name;
    EXPECT_LT(*b->stages[0].hop_s, 1.5 * want) << name;
    EXPECT_EQ(a->output_sha256, b->output_sha256);
  }
  // There and, as an id, back again.
  EXPECT_GE(*find(slow, "e2e/decode/")->stages[1].hop_s, 20e-3);
  EXPECT_GE(median(find(slow, "e2e/decode/")), 40e-3);
  EXPECT_FALSE(plain.env.slow_link.has_value());
  EXPECT_EQ(slow.env.slow_link.value_or(""), "0.01 GB/s, 20000 us");
  EXPECT_EQ(slow.run.command[0], "EMBER_LINK=0.01,20000");
}

TEST(E2eBench, EachChunkIsACaseOfPrefill) {
  E2eOptions o;
  o.model = "tiny";
  o.prompts = {24};
  o.tokens = 2;
  o.repetitions = 1;
  o.chunks = {24, 5};
  StageTimer timer;
  report::Report r;
  bench_e2e(*runtime(timer, 2), Ceilings(), o, &timer, &r);
  EXPECT_EQ(r.cases.size(), 2u + 4 + 2);
  for (const char* chunk : {"chunk=24/", "chunk=5/"}) {
    const report::Case* c = find(r, "e2e/prefill/", chunk);
    EXPECT_EQ(c->stages.size(), 2u);
    EXPECT_GT(median(c), 0);
  }
  EXPECT_EQ(find(r, "e2e/decode/")->id.find("chunk"), std::string::npos);
}

TEST(E2eBench, ARefusalHasNoRates) {
  StageTimer timer;
  E2eOptions o;
  o.tokens = 4;
  o.refusal = "the golden check failed";
  report::Report r;
  bench_e2e(*runtime(timer, 1), Ceilings(), o, &timer, &r);
  ASSERT_FALSE(r.cases.empty());
  for (const report::Case& c : r.cases) {
    EXPECT_EQ(c.status, report::Status::kFailed);
    EXPECT_TRUE(c.samples.empty());
    EXPECT_EQ(c.reason, o.refusal);
  }
}

TEST(E2eBench, WhatTheIdsFileNames) {
  const TemporaryDirectory dir;
  const std::string path = dir / "ids";
  StageTimer timer;
  const auto one = runtime(timer, 1);
  E2eOptions o;
  o.model = "tiny";
  o.prompts = {4};
  o.depths = {0, 8};
  o.tokens = 3;
  o.repetitions = 1;
  report::Report all, some;
  bench_e2e(*one, Ceilings(), o, nullptr, &all);
  const std::string id = find(all, "e2e/decode/", "depth=8")->id;
  std::ofstream(path) << id << "\n";
  o.ids_file = path;
  bench_e2e(*one, Ceilings(), o, nullptr, &some);
  ASSERT_EQ(some.cases.size(), 1u);
  EXPECT_EQ(some.cases[0].id, id);
  std::ofstream(path) << "*\n";
  some.cases.clear();
  bench_e2e(*one, Ceilings(), o, nullptr, &some);
  EXPECT_EQ(some.cases.size(), all.cases.size());
  std::ofstream(path) << "\n";
  EXPECT_THROW(CaseChoice("", path), Error);
  EXPECT_THROW(CaseChoice("(", ""), Error);
}

TEST(EngineCheck, PassesFailsOrSaysWhyNot) {
  EngineCheckOptions o;
  o.model = kTiny;
  o.devices = {DeviceId{}};
  o.plant = "rope-sign";
  const report::Case wrong = check_engine(o);
  EXPECT_EQ(wrong.status, report::Status::kFailed);
  EXPECT_EQ(wrong.verified, false);
  EXPECT_FALSE(wrong.reason.empty());
  o.plant.clear();
  o.off = true;
  EXPECT_EQ(check_engine(o).reason, report::kGoldenLeftOut);
  o.off = false;
  o.model = "random:qwen3-0.6b";
  EXPECT_EQ(check_engine(o).status, report::Status::kSkipped);
  o.golden_model = kTiny;
  o.devices.assign(64, DeviceId{});  // more stages than the small model has layers
  const report::Case right = check_engine(o);
  EXPECT_EQ(right.status, report::Status::kOk) << right.reason;
  EXPECT_EQ(right.verified, true);
}

// The ops of a pass add up to it: on the CPU nothing overlaps.
TEST(PhasesBench, TheSumExplainsTheStep) {
  OpTimer timer;
  const auto two = runtime(timer, 2);
  PhasesOptions o;
  o.model = "tiny";
  o.prompts = {24};
  o.depths = {32};
  o.tokens = 20;
  o.repetitions = 3;
  const Ceilings ceilings({{"mem_read", "B/s", 1e15, 1e15, 1e15, false},
                           {"gemm_fp32", "FLOP/s", 1e18, 1e18, 1e18, false}});
  report::Report r;
  const auto share = [&](const char* pass) {
    return median(find(r, pass, "op=sum")) / median(find(r, pass, "op=step"));
  };
  // Sum and step are two runs: what else the machine does may come between them, but not each time.
  bool explained = false;
  for (int attempt = 0; attempt < 5 && !explained; ++attempt) {
    r = start_report({"test"}, {DeviceId{}});
    add_ceilings(&r, DeviceId{}, ceilings);
    bench_phases(*two, ceilings, o, timer, &r);
    explained = true;
    for (const char* pass : {"phase/decode/", "phase/prefill/"}) {
      explained = explained && share(pass) > 0.5 && share(pass) < 1.5;
    }
  }
  EXPECT_TRUE(explained) << share("phase/decode/") << " and " << share("phase/prefill/");
  const auto layers = static_cast<size_t>(two->config().shape.L);
  for (const char* pass : {"phase/decode/", "phase/prefill/"}) {
    double sum = 0;
    for (const report::Case& c : r.cases) {
      const std::string op = report::text(c.params.at("op"));
      if (c.id.rfind(pass, 0) == 0 && c.work) {
        const bool once = op == "embed" || op == "rmsnorm.final" || op == "linear.head" ||
                          op == "sample" || op == "advance";
        EXPECT_EQ(c.samples[0].values.size(), once ? 1u : layers) << c.id;
        for (const double v : c.samples[0].values) {
          sum += v;
        }
      }
    }
    const double total = median(find(r, pass, "op=sum")), step = median(find(r, pass, "op=step"));
    EXPECT_NEAR(sum, total, 1e-9) << pass;
    EXPECT_NEAR(median(find(r, pass, "op=gap")), (step - total) / step, 1e-9);
    EXPECT_LT(median(find(r, pass, "op=roofline")), total);
    EXPECT_EQ(find(r, pass, "op=layers")->samples[0].values.size(), layers);
    for (const char* op : {"qkv", "o", "gate_up", "down", "head"}) {
      EXPECT_TRUE(find(r, pass, std::string("op=linear.") + op)->ceiling.has_value()) << op;
    }
  }
  EXPECT_NO_THROW(report::to_json(r));
}

// What a pass is made of adds up to it: no op of a layer beside the kernel that holds them all.
TEST(StepKernels, AResidentStepIsFourKernels) {
  PassShape s;
  s.model = find_preset("tiny")->shape;
  s.cached = 40;
  s.fused = s.resident = true;
  std::vector<std::string> once;
  for (const StepKernelInfo& info : step_kernels(s)) {
    if (info.count > 0) {
      EXPECT_EQ(info.count, 1) << info.name;
      once.push_back(info.name);
    }
  }
  EXPECT_EQ(once, (std::vector<std::string>{"embed", "decode_layers", "norm_linear.head",
                                            "sample.greedy"}));
  s.resident = false;
  for (const StepKernelInfo& info : step_kernels(s)) {
    EXPECT_NE(info.name, "decode_layers");
  }
}

TEST(StepKernels, DecodeLayersIsVerified) {
  Meter meter(DeviceId{});
  PassShape s;
  s.model = find_preset("tiny")->shape;
  s.model.L = 2;
  s.cached = 40;
  const auto kernel = make_decode_layers(meter, s);
  EXPECT_GE(kernel->copies, 1);
  const ModelShape& m = s.model;
  const int64_t weights = (m.q_dim() * 2 + 2 * m.kv_dim() + 3 * m.F) * m.D;
  const int64_t rows = 40 * 2 * m.kv_dim();
  EXPECT_GT(kernel->cost().bytes_read, m.L * 2 * (weights + rows));
  EXPECT_LT(kernel->cost().bytes_read, m.L * 2 * (weights + rows) * 102 / 100);
  EXPECT_EQ(kernel->verify(meter), "");
  kernel->run(kernel->copies - 1, {});
  EXPECT_EQ(kernel->verify(meter), "");  // x is what a run before left
}

TEST(Judge, SeesAnErrorAndANan) {
  std::vector<float> a(64, 1), b(64, 1);
  const auto view = [](std::vector<float>& v) {
    return TensorView(v.data(), DType::kF32, {4, 16});
  };
  EXPECT_EQ(judge(view(a), view(b)), "");
  b[3] = 1.01f;
  EXPECT_NE(judge(view(a), view(b)), "");
  b[3] = 1;
  a[5] = std::nanf("");
  EXPECT_NE(judge(view(a), view(b)).find("element 5"), std::string::npos);
}

}  // namespace
}  // namespace ember
