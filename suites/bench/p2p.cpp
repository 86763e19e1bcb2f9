// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/p2p.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "engine/core/log.h"
#include "harness/environment.h"
#include "harness/measure/ceilings.h"
#include "harness/measure/link_fit.h"
#include "harness/measure/load_chain.h"
#include "kernels/base/cuda_memory.h"
#include "kernels/base/error.h"
#include "reports/format.h"

namespace ember {
namespace {

// Below this a figure of bandwidth is one of latency, which the fit tells better.
constexpr int64_t kGatedBytes = 64 << 10;
constexpr int64_t kLeastLoadBytes = 4 << 10, kLoadBytes = int64_t{256} << 20;

class P2p {
 public:
  P2p(const std::vector<DeviceId>& devices, const P2pOptions& options, report::Report* out)
      : options_(options), sizes_(p2p_sizes(options)), out_(out) {
    for (const DeviceId& d : devices) {
      if (d.kind == DeviceKind::kCuda) {
        links_.emplace_back(d, gpu_links(d));
      }
    }
  }

  void run(const P2pSeries& series) {
    verbose("p2p: ", series_id(series, "copy"), series.skip.empty() ? "" : " skipped");
    if (!series.skip.empty()) {
      skip("copy", series, report::Metric::kBandwidth, series.skip);
      return;
    }
    const LinkWay& way = series.way;
    Meter& meter = this->meter(copying_device(way.from, way.to, way.engine));
    std::string no_memory;
    const std::unique_ptr<Link> link = make(meter, way, &no_memory);
    std::vector<std::pair<int64_t, double>> points;
    for (const int64_t bytes : sizes_) {
      report::Case c = start("copy", series, report::Metric::kBandwidth, bytes);
      if (link == nullptr || bytes > link->source(0).bytes()) {
        report::skip(c, no_memory);
      } else if (measure(*link, series, bytes, &c)) {
        points.emplace_back(way.both ? 2 * bytes : bytes, last_.median);
      }
      out_->cases.push_back(std::move(c));
    }
    add_fit(series, points);
  }

  void run(const P2pLoads& loads) {
    report::Case c = report::make_case(report::Kind::kP2p, "load",
                                       {{"dst", device_name(loads.by)},
                                        {"engine", std::string("load")},
                                        {"path", loads.path},
                                        {"src", device_name(loads.from.device)}},
                                       report::Metric::kLatency);
    verbose("p2p: ", c.id, loads.skip.empty() ? "" : " skipped");
    if (!loads.skip.empty()) {
      report::skip(c, loads.skip);
    } else {
      measure(loads, &c);
    }
    out_->cases.push_back(std::move(c));
  }

  void run(const P2pHop& hop) {
    for (const int64_t hidden : options_.hidden) {
      for (const int64_t tokens : options_.tokens) {
        const double bytes = static_cast<double>(4 * tokens * hidden);
        report::Case c = report::make_case(report::Kind::kP2p, "hop",
                                           {{"bytes", bytes},
                                            {"dst", device_name(hop.to)},
                                            {"hidden", static_cast<double>(hidden)},
                                            {"path", hop.name},
                                            {"src", device_name(hop.from)},
                                            {"tokens", static_cast<double>(tokens)}},
                                           report::Metric::kLatency);
        verbose("p2p: ", c.id, hop.skip.empty() ? "" : " skipped");
        if (!hop.skip.empty()) {
          report::skip(c, hop.skip);
        } else {
          measure(hop, tokens, hidden, &c);
        }
        out_->cases.push_back(std::move(c));
      }
    }
  }

 private:
  static report::Params params(const P2pSeries& s) {
    return {{"direction", std::string(s.way.both ? "both" : "one")},
            {"dst", device_name(s.way.to.device)},
            {"engine", std::string(name(s.way.engine))},
            {"path", s.path},
            {"src", device_name(s.way.from.device)}};
  }

  static std::string series_id(const P2pSeries& s, const char* what) {
    return report::case_id(report::Kind::kP2p, what, params(s));
  }

  static report::Case start(const char* what, const P2pSeries& s, report::Metric metric,
                            int64_t bytes = 0) {
    report::Params p = params(s);
    if (bytes > 0) {
      p["bytes"] = static_cast<double>(bytes);
    }
    report::Case c = report::make_case(report::Kind::kP2p, what, p, metric);
    c.gate = c.gate && (bytes == 0 || bytes >= kGatedBytes);
    return c;
  }

  void skip(const char* what, const P2pSeries& s, report::Metric metric, const std::string& why) {
    report::Case c = start(what, s, metric);
    report::skip(c, why);
    out_->cases.push_back(std::move(c));
  }

  Meter& meter(DeviceId device) {
    for (const auto& m : meters_) {
      if (m->device() == device) {
        return *m;
      }
    }
    meters_.push_back(std::make_unique<Meter>(device));
    return *meters_.back();
  }

  // For the largest size that there is memory for; null where there is none for any.
  std::unique_ptr<Link> make(Meter& meter, const LinkWay& way, std::string* why) const {
    for (size_t i = sizes_.size(); i > 0; --i) {
      try {
        return std::make_unique<Link>(meter, way, sizes_[i - 1]);
      } catch (const Error& e) {
        if (e.kind() != ErrorKind::kOutOfMemory) {
          throw;
        }
        *why = e.what();
      }
    }
    return nullptr;
  }

  // True when there is a time for the fit.
  bool measure(Link& link, const P2pSeries& series, int64_t bytes, report::Case* c) {
    const std::string wrong = link.verify(bytes);
    c->verified = wrong.empty();
    if (!wrong.empty()) {
      report::fail_case(*c, "verification: " + wrong);
      return false;
    }
    last_ = link.measure(bytes, options_.measure);
    if (last_.seconds.empty()) {
      report::fail_case(*c, "no sample was kept of " + std::to_string(last_.gate_timeouts) +
                                " behind a gate that gave up and " +
                                std::to_string(last_.throttled) + " throttled");
      return false;
    }
    const double moved = static_cast<double>(series.way.both ? 2 * bytes : bytes);
    record(c, [moved](double seconds) { return moved / seconds; });
    c->work = report::Work{moved, {}, {}};
    hold_against_nominal(series, moved / last_.median, c);
    return true;
  }

  void measure(const P2pLoads& loads, report::Case* c) {
    Meter& meter = this->meter(loads.by);
    try {
      // Several times any cache on the way, but for the host's, which devices do not reach.
      LoadChain chain(meter, loads.from,
                      std::clamp(options_.max_bytes, kLeastLoadBytes, kLoadBytes));
      const std::string wrong = chain.verify();
      c->verified = wrong.empty();
      if (!wrong.empty()) {
        report::fail_case(*c, "verification: " + wrong);
        return;
      }
      last_ = chain.measure(options_.measure);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::kOutOfMemory) {
        throw;
      }
      report::skip(*c, e.what());
      return;
    }
    if (last_.seconds.empty()) {
      report::fail_case(*c, "no sample was kept");
      return;
    }
    record(c, [](double seconds) { return seconds; });
  }

  void measure(const P2pHop& hop, int64_t tokens, int64_t hidden, report::Case* c) {
    std::string wrong;
    try {
      last_ = measure_hop(hop, tokens, hidden, options_.measure, &wrong);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::kOutOfMemory) {
        throw;
      }
      report::skip(*c, e.what());
      return;
    }
    c->verified = wrong.empty();
    if (!wrong.empty() || last_.seconds.empty()) {
      report::fail_case(*c, wrong.empty() ? "no sample was kept" : "verification: " + wrong);
      return;
    }
    record(c, [](double seconds) { return seconds; });
    c->work = report::Work{static_cast<double>(4 * tokens * hidden), {}, {}};
  }

  template <class Figure>
  void record(report::Case* c, const Figure& figure) {
    report::Samples samples;
    samples.order = order_++;
    for (const double seconds : last_.seconds) {
      samples.values.push_back(figure(seconds));
    }
    if (last_.sm_mhz > 0) {
      samples.clock_mhz = last_.sm_mhz;
    }
    c->samples.push_back(std::move(samples));
    c->excluded_warmup = last_.warmup;
    c->excluded_throttled = last_.throttled;
    c->stop = last_.noisy ? "cap" : "interval";
    if (last_.noisy) {
      c->status = report::Status::kNoisy;
      c->reason = last_.doubt;
    }
  }

  void add_fit(const P2pSeries& series, const std::vector<std::pair<int64_t, double>>& points) {
    const std::optional<LinkFit> fit = fit_link(points);
    const auto add = [&](const char* what, report::Metric metric, double LinkFit::*figure) {
      report::Case c = start(what, series, metric);
      if (!fit) {
        report::skip(c, "no line through the times of " + std::to_string(points.size()) +
                            " sizes: it takes three, and larger ones that take longer");
      } else {
        c.samples.push_back({0, order_++, {}, {(*fit).*figure}});
        c.stop = "count";
        c.verified = true;
      }
      c.gate = false;  // the times it is made of are gated
      out_->cases.push_back(std::move(c));
    };
    add("latency", report::Metric::kLatency, &LinkFit::latency);
    add("rate", report::Metric::kBandwidth, &LinkFit::bandwidth);
    add("fit_error", report::Metric::kError, &LinkFit::error);
  }

  const GpuLinks* links_of(DeviceId device) const {
    const auto found = std::find_if(links_.begin(), links_.end(),
                                    [&](const auto& entry) { return entry.first == device; });
    return found == links_.end() ? nullptr : &found->second;
  }

  // The specification of what joins two places; its id names both where both are GPUs.
  const report::Ceiling* nominal(const LinkWay& way) {
    const GpuLinks* from = links_of(way.from.device);
    const GpuLinks* to = links_of(way.to.device);
    if ((from == nullptr && to == nullptr) || way.from.device == way.to.device) {
      return nullptr;
    }
    const bool pair = from != nullptr && to != nullptr;
    const std::optional<PairRate> rate =
        pair ? pair_rate(*from, *to) : host_rate(from != nullptr ? *from : *to);
    if (!rate) {
      return nullptr;
    }
    const DeviceId device = from != nullptr ? way.from.device : way.to.device;
    report::Ceiling c;
    c.kind = rate->link;
    c.device = device_name(device);
    c.id = ceiling_id("link", device) + (pair ? "-" + device_name(way.to.device) : "");
    c.value = rate->bytes_per_s;
    c.method = "nominal";
    if (out_->find_ceiling(c.id) == nullptr) {
      out_->ceilings.push_back(c);
    }
    return out_->find_ceiling(c.id);
  }

  void hold_against_nominal(const P2pSeries& series, double rate, report::Case* c) {
    const report::Ceiling* limit = nominal(series.way);
    if (limit == nullptr) {
      return;
    }
    const double share = rate / (limit->value * (series.way.both ? 2 : 1));
    if (share <= 1) {
      c->ceiling = report::CeilingShare{limit->id, share};
    } else if (misstated_.insert(limit->id).second) {
      warning("p2p: ", c->id, " is above the nominal rate of ", limit->id, " (", limit->kind,
              "): the driver misstates the link, and its share is left out");
    }
  }

  const P2pOptions& options_;
  std::vector<int64_t> sizes_;
  report::Report* out_;
  std::vector<std::pair<DeviceId, GpuLinks>> links_;
  std::vector<std::unique_ptr<Meter>> meters_;
  std::set<std::string> misstated_;
  Measurement last_;
  int64_t order_ = 0;
};

}  // namespace

void bench_p2p(const std::vector<DeviceId>& devices, const P2pOptions& options,
               report::Report* out) {
  const auto why_no_peer = [](int a, int b) { return cuda::enable_peer_copies(a, b); };
  P2p bench(devices, options, out);
  if (options.links) {
    for (const P2pSeries& series : plan_links(devices, options, why_no_peer)) {
      bench.run(series);
    }
    for (const P2pLoads& loads : plan_loads(devices, why_no_peer)) {
      if (options.kernels) {
        bench.run(loads);
      }
    }
  }
  if (options.hops) {
    for (const P2pHop& hop : plan_hops(devices, why_no_peer)) {
      bench.run(hop);
    }
  }
}

}  // namespace ember
