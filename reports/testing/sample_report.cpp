// SPDX-License-Identifier: Apache-2.0
#include "reports/testing/sample_report.h"

#include <cmath>

namespace ember::report {

double NormalNoise::uniform() {  // splitmix64
  state_ += 0x9e3779b97f4a7c15u;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (static_cast<double>((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

double NormalNoise::next() {
  const double r = std::sqrt(-2 * std::log(uniform()));
  return r * std::cos(6.283185307179586 * uniform());
}

std::vector<double> noisy_values(NormalNoise& noise, const NoiseModel& model, double center,
                                 int values) {
  const double offset = model.between * noise.next();
  const double fresh = std::sqrt(1 - model.correlation * model.correlation);
  double walk = noise.next();
  std::vector<double> out;
  for (int i = 0; i < values; ++i) {
    // Nanosecond resolution of nine digits, as a clock has.
    const double v = center * std::exp(offset + model.within * walk);
    const double digit = std::pow(10, std::floor(std::log10(v)) - 6);
    out.push_back(std::round(v / digit) * digit);
    walk = model.correlation * walk + fresh * noise.next();
  }
  return out;
}

namespace {

Report frame() {
  Report r;
  r.run.id = "sample";
  r.run.started = "2026-01-31T12:00:00Z";
  r.run.wall_s = 12.5;
  r.run.command = {"ember", "suite", "--profile", "ci-full"};
  r.run.profile = "ci-full";
  r.subject.version = "0.1.0";
  r.subject.commit = "0123456789abcdef0123456789abcdef01234567";
  r.subject.build_type = "Release";
  r.subject.compiler = "GNU 12.2.0";
  r.env.host.cpu = "Sample CPU";
  r.env.host.isa = "avx2 fma f16c";
  r.env.host.cores = 16;
  r.env.host.threads = 16;
  r.env.host.mem_bytes = int64_t{128} << 30;
  return r;
}

void add_card(Report* r) {
  r->subject.binary_sha256 = std::string(64, 'a');
  r->subject.cuda_compiler = "12.4";
  r->subject.cuda_arch = {"90a"};
  r->env.host.hash = "5f1d";
  r->env.host.os = "Debian 12";
  r->env.host.kernel = "6.1";
  r->env.host.governor = "performance";
  r->env.host.numa_nodes = 2;
  r->env.host.container = true;
  r->env.host.load_1m = 0.2;
  r->env.cuda = Cuda{"550.54", "12.4", std::string("12.4.5")};
  for (int i = 0; i < 2; ++i) {
    Gpu g;
    g.index = i;
    g.name = "Sample GPU";
    g.cc = "9.0";
    g.sms = 132;
    g.mem_bytes = int64_t{80} << 30;
    g.l2_bytes = 50 << 20;
    g.clock_policy = "free";
    g.uuid_hash = "c0ffee0" + std::to_string(i);
    g.ecc = true;
    g.mig = false;
    g.persistence = true;
    g.power_limit_w = 700;
    g.power_default_w = 700;
    g.mem_mhz = 2619;
    g.mem_mhz_seen = GpuClock{2619, 2619, 2619};
    g.temp_start_c = 35;
    g.temp_max_c = 55;
    g.sm_mhz = GpuClock{1965, 1980, 1980};
    g.sm_mhz_requested = 1980;
    g.sm_mhz_limit = 1980;
    g.throttle = GpuThrottle{0.0, 0.0, 0.0, 0.0};
    g.other_processes = 0;
    g.pcie = GpuPcie{5, 5, 16};
    g.nvlink = GpuNvlink{18, 4, 478e9};
    r->env.gpus.push_back(g);
  }
  r->model = Model{"random:qwen3-0.6b", "bf16", std::nullopt, std::nullopt, std::nullopt};
  r->ceilings = {
      {"mem_read@cuda:0", "cuda:0", "mem_read", 3.1e12, "B/s", std::make_pair(3.09e12, 3.11e12),
       "measured"},
      {"gemm_bf16@cuda:0", "cuda:0", "gemm_bf16", 7.2e14, "FLOP/s", std::nullopt, "measured"}};
}

int64_t next_order(Report* r) {
  int64_t n = 0;
  for (const Case& c : r->cases) {
    n += static_cast<int64_t>(c.samples.size());
  }
  return n;
}

Case& measure(Report* r, NormalNoise& noise, Case c, double center, int values, int processes = 3) {
  int64_t order = next_order(r);
  for (int p = 0; p < processes; ++p) {
    c.samples.push_back({p, order++, 1980.0, noisy_values(noise, {}, center, values)});
  }
  c.verified = true;
  c.excluded_warmup = 3;
  c.stop = "interval";
  r->cases.push_back(std::move(c));
  return r->cases.back();
}

void add_kernels(Report* r, NormalNoise& noise) {
  struct Row {
    const char* op;
    double rows, bytes, flops, seconds;
  };
  const Row rows[] = {{"rmsnorm", 1, 6.1e3, 4e3, 2.1e-6},
                      {"linear", 1, 6.3e6, 6.3e6, 2.9e-6},
                      {"linear", 512, 9.4e6, 3.2e9, 7.4e-6},
                      {"attention", 512, 4.2e6, 1.1e9, 9.3e-6},
                      {"swiglu", 512, 9.4e6, 6.3e6, 4.4e-6}};
  for (const Row& row : rows) {
    Case& c = measure(r, noise,
                      make_case(Kind::kKernel, row.op,
                                {{"M", row.rows}, {"l2", std::string("cold")}}, Metric::kTime),
                      row.seconds, 40);
    c.work = Work{row.bytes, row.flops, std::nullopt};
    c.kernel = row.rows > 1 && row.flops > 1e9
                   ? KernelResources{{}, {}, {}, {{"library", {}, {}, {}, {}, {}}}}
                   : KernelResources{
                         64, 16384, 0, {{std::string(row.op) + "_kernel", 64, 16384, 0, 256, 132}}};
    const bool memory = row.flops / row.bytes < 7.2e14 / 3.1e12;
    set_ceiling(c, r->ceilings[memory ? 0 : 1], (memory ? row.bytes : row.flops) / row.seconds);
  }
  Case& tired = measure(
      r, noise,
      make_case(Kind::kKernel, "sample", {{"M", 1.0}, {"l2", std::string("cold")}}, Metric::kTime),
      5e-6, 40);
  tired.status = Status::kNoisy;
  tired.reason = "the interval of the median is 2.1 % wide after 10 s, 0.5 % was asked for";
  tired.stop = "cap";
  tired.excluded_throttled = 2;
}

void add_links(Report* r, NormalNoise& noise) {
  for (int src = 0; src < 2; ++src) {
    for (int dst = 0; dst < 2; ++dst) {
      Case c = make_case(Kind::kP2p, "copy",
                         {{"src", "cuda:" + std::to_string(src)},
                          {"dst", "cuda:" + std::to_string(dst)},
                          {"bytes", double(1 << 30)},
                          {"engine", std::string("ce")},
                          {"path", std::string(src == dst ? "local" : "peer")}},
                         Metric::kBandwidth);
      measure(r, noise, c, src == dst ? 1.4e12 : 3.9e11, 7);
    }
  }
  Case c = make_case(Kind::kP2p, "copy",
                     {{"src", std::string("cuda:0")}, {"dst", std::string("cuda:2")}},
                     Metric::kBandwidth);
  skip(c, "there is no cuda:2");
  r->cases.push_back(c);
}

void add_generation(Report* r, NormalNoise& noise) {
  measure(r, noise,
          make_case(Kind::kE2e, "generate", {{"prompt", 512.0}, {"metric", std::string("ttft")}},
                    Metric::kTtft),
          0.011, 20);
  Case& step =
      measure(r, noise,
              make_case(Kind::kE2e, "generate",
                        {{"prompt", 512.0}, {"metric", std::string("tpot")}}, Metric::kTpot),
              0.00052, 127);
  step.output_sha256 = std::string(64, 'b');
  step.stages = {{0, "cuda:0", 0.93, 0.05, 1.1e-5},
                 {1, "cuda:1", 0.91, std::nullopt, std::nullopt}};
  step.work = Work{1.2e9, 1.2e9, 1.0};
  set_ceiling(step, r->ceilings[0], 1.2e9 / 0.00052);
  measure(r, noise,
          make_case(Kind::kE2e, "generate", {{"prompt", 512.0}, {"metric", std::string("rate")}},
                    Metric::kTokensPerS),
          1920, 5);
  measure(r, noise,
          make_case(Kind::kPhase, "decode", {{"layer", 0.0}, {"op", std::string("linear")}},
                    Metric::kTime),
          3e-6, 20);
}

void add_checks(Report* r) {
  Case good = make_case(Kind::kGolden, "tiny/bf16", {}, Metric::kError);
  good.golden = GoldenVerdict{true, "rel_l2", 0.004, 1.02, 1.6, std::nullopt, {}};
  Case bad = make_case(Kind::kGolden, "odd/bf16", {}, Metric::kError);
  fail_case(bad, "dp_max is 1.78 times the reference's, limit 1.59");
  bad.golden = GoldenVerdict{false, "dp_max", 0.03, 1.78, 1.59, "layer 3 k_rope", {}};
  for (int layer = 0; layer < 6; ++layer) {
    const double error = 1e-3 * std::pow(1.3, layer);
    good.golden->layers.push_back({layer, "layer_out", error, 1.6 * error});
    bad.golden->layers.push_back({layer, "layer_out", layer < 3 ? error : 9 * error, 1.6 * error});
  }
  r->cases.push_back(good);
  r->cases.push_back(bad);
  Case check = make_case(Kind::kCheck, "sum-of-kernels", {}, Metric::kRatio);
  check.verified = true;
  r->cases.push_back(check);
}

}  // namespace

Report sample_report(uint64_t seed) {
  NormalNoise noise(seed);
  Report r = frame();
  add_card(&r);
  add_kernels(&r, noise);
  add_links(&r, noise);
  add_generation(&r, noise);
  add_checks(&r);
  return r;
}

Report kernel_report(uint64_t seed, int cases, int processes, const NoiseModel& model,
                     double slowdown, int slow_case) {
  NormalNoise noise(seed);
  Report r = frame();
  for (int i = 0; i < cases; ++i) {
    Case c = make_case(Kind::kKernel, "op" + std::to_string(i), {{"M", 1.0}}, Metric::kTime);
    const double center = 1e-4 * (1 + i) * (i == slow_case ? slowdown : 1);
    for (int p = 0; p < processes; ++p) {
      c.samples.push_back({p, p, std::nullopt, noisy_values(noise, model, center, 15)});
    }
    c.verified = true;
    r.cases.push_back(std::move(c));
  }
  return r;
}

}  // namespace ember::report
