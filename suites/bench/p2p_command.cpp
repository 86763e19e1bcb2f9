// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/p2p_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>

#include "engine/cli/flags.h"
#include "engine/core/clock.h"
#include "engine/core/log.h"
#include "harness/environment.h"
#include "kernels/base/error.h"
#include "suites/bench/p2p.h"
#include "suites/bench/report_output.h"

namespace ember {
namespace {

struct Options {
  P2pOptions p2p;
  std::string devices, engine = "all", direction = "all", json;
  int64_t max_bytes = 0;
  bool no_hops = false, no_links = false;
};

// Every GPU, each once; the CPU where there is none.
std::vector<DeviceId> all_devices(const std::string& text) {
  std::vector<DeviceId> devices;
  if (!text.empty()) {
    for (const DeviceId& d : parse_devices(text)) {
      if (std::find(devices.begin(), devices.end(), d) == devices.end()) {
        devices.push_back(d);
      }
    }
    return devices;
  }
  std::string why;
  for (const CudaDeviceInfo& gpu : cuda_devices(&why)) {
    devices.push_back({DeviceKind::kCuda, gpu.index});
  }
  if (devices.empty()) {
    notice("no GPU is usable (", why, "): host memory alone");
    devices.push_back({});
  }
  return devices;
}

int run(Options o) {
  const double start = now_seconds();
  const std::vector<DeviceId> devices = all_devices(o.devices);
  for (const DeviceId& d : devices) {
    if (d.kind == DeviceKind::kCuda) {
      Meter meter(d);  // throws where the device cannot be used
    }
  }
  const bool gpu = std::any_of(devices.begin(), devices.end(),
                               [](const DeviceId& d) { return d.kind == DeviceKind::kCuda; });
  o.p2p.max_bytes = o.max_bytes > 0 ? o.max_bytes : int64_t{1} << (gpu ? 30 : 26);
  o.p2p.copy_engine = o.engine != "kernel";
  o.p2p.kernels = o.engine != "ce";
  o.p2p.one_way = o.direction != "both";
  o.p2p.both_ways = o.direction != "one";
  o.p2p.links = !o.no_links;
  o.p2p.hops = !o.no_hops;
  for (const int64_t hidden : o.p2p.hidden) {
    if (hidden > int64_t{1} << 20) {
      fail(ErrorKind::kUsage, "--hidden ", hidden, ": expected at most ", int64_t{1} << 20);
    }
  }
  report::Report r = start_report({"ember", "bench", "p2p"}, devices);
  bench_p2p(devices, o.p2p, &r);
  output_report(&r, o.json, start);
  return exit_code_of(r);
}

}  // namespace

BenchCommand add_bench_p2p(CLI::App& bench) {
  auto o = std::make_shared<Options>();
  o->p2p.measure.target = 0.02;
  o->p2p.measure.time_cap = 0.5;
  o->p2p.measure.max_samples = 200;
  o->p2p.measure.max_batch = 64;  // a stream takes about a thousand commands ahead
  CLI::App* app = bench.add_subcommand("p2p", "copies between host and devices, and among devices");
  app->add_option("--devices", o->devices,
                  "devices, a list; default: every GPU, or cpu where there is none");
  for (const auto& [flag, value, doc] :
       {std::make_tuple("--min-bytes", &o->p2p.min_bytes, "smallest message (256)"),
        std::make_tuple("--max-bytes", &o->max_bytes, "largest message (1G, without a GPU 64M)")}) {
    app->add_option(flag, *value, doc)->transform(CLI::AsSizeValue(false));
  }
  app->add_option("--engine", o->engine, "what copies: ce (copy engines), kernel, all (default)")
      ->check(CLI::IsMember({"ce", "kernel", "all"}));
  app->add_option("--direction", o->direction, "one way, both at the same time, all (default)")
      ->check(CLI::IsMember({"one", "both", "all"}));
  app->add_option("--hidden", o->p2p.hidden, "D of the pipeline's messages, a list (4096)")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app->add_option("-t,--tokens", o->p2p.tokens, "T of them, a list (1,512,2048)")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 20));
  app->add_flag("--no-links", o->no_links, "the pipeline's messages alone");
  app->add_flag("--no-hops", o->no_hops, "without them");
  app->add_option("--target", o->p2p.measure.target,
                  "stop when the median is known to this share (0.02)")
      ->check(CLI::PositiveNumber);
  app->add_option("--case-cap", o->p2p.measure.time_cap, "seconds for each size (0.5)")
      ->check(CLI::PositiveNumber);
  app->add_option("--json", o->json, "write the report to FILE; - for stdout");
  add_log_flags(*app);
  return {app, [o] { return run(*o); }};
}

}  // namespace ember
