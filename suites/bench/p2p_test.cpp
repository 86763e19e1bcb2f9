// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/p2p.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "harness/environment.h"
#include "kernels/base/error.h"
#include "kernels/common/cuda_testing.h"
#include "reports/reader.h"
#include "reports/writer.h"

namespace ember {
namespace {

const DeviceId kCpu{}, kGpu0{DeviceKind::kCuda, 0}, kGpu1{DeviceKind::kCuda, 1},
    kGpu2{DeviceKind::kCuda, 2};

std::string can_peer(int, int) {
  return "";
}

std::string text(const P2pSeries& s) {
  return device_name(s.way.from.device) + (s.way.both ? "<>" : ">") + device_name(s.way.to.device) +
         " " + name(s.way.engine) + " " + s.path;
}

std::multiset<std::string> measured(const std::vector<P2pSeries>& plan) {
  std::multiset<std::string> names;
  for (const P2pSeries& s : plan) {
    if (s.skip.empty()) {
      names.insert(text(s));
    }
  }
  return names;
}

TEST(P2pPlan, SizesGoUpByFourToTheLargest) {
  P2pOptions o;
  const auto sizes = p2p_sizes(o);
  EXPECT_EQ(sizes.size(), 12u);
  EXPECT_EQ(sizes.front(), 256);
  EXPECT_EQ(sizes.back(), int64_t{1} << 30);
  o.max_bytes = 1 << 20;
  o.min_bytes = 192;
  EXPECT_EQ(p2p_sizes(o),
            (std::vector<int64_t>{192, 768, 3072, 12288, 49152, 196608, 786432, 1 << 20}));
  for (const auto& [low, high] : {std::make_pair(100, 1000), {256, 1000}, {1024, 256}, {0, 256}}) {
    o.min_bytes = low;
    o.max_bytes = high;
    EXPECT_THROW(p2p_sizes(o), Error) << low << " " << high;
  }
}

TEST(P2pPlan, TheHostAloneSkipsWhatNeedsADevice) {
  const auto plan = plan_links({kCpu}, {}, can_peer);
  EXPECT_EQ(measured(plan), (std::multiset<std::string>{"cpu>cpu host local"}));
  EXPECT_GT(plan.size(), 15u);
  for (const P2pSeries& s : plan) {
    EXPECT_TRUE(s.skip.empty() || s.skip.find("no CUDA device") != std::string::npos) << s.skip;
  }
}

TEST(P2pPlan, OneGpuHasNoPair) {
  const auto plan = plan_links({kGpu0}, {}, [](int, int) -> std::string {
    ADD_FAILURE() << "asked about a device that is not there";
    return "";
  });
  EXPECT_EQ(measured(plan),
            (std::multiset<std::string>{"cpu>cuda:0 ce pinned", "cuda:0>cpu ce pinned",
                                        "cpu<>cuda:0 ce pinned", "cpu>cuda:0 ce pageable",
                                        "cuda:0>cpu ce pageable", "cpu>cuda:0 pull pinned",
                                        "cuda:0>cpu push pinned", "cpu<>cuda:0 pull pinned",
                                        "cuda:0>cuda:0 ce local", "cuda:0>cuda:0 push local"}));
  const auto skipped = std::count_if(plan.begin(), plan.end(), [](const P2pSeries& s) {
    return s.path == "peer" && s.skip == "one CUDA device: there is no pair" &&
           (s.way.from.device == kGpu1 || s.way.to.device == kGpu1);
  });
  EXPECT_EQ(skipped, 9);
}

TEST(P2pPlan, AllOrderedPairsByEveryEngine) {
  const auto plan = plan_links({kGpu0, kGpu1, kGpu2}, {}, [](int a, int b) {
    return std::string(a == 1 && b == 2 ? "no way" : "");
  });
  const auto names = measured(plan);
  for (const auto& [a, b] : {std::make_pair("cuda:0", "cuda:1"), {"cuda:0", "cuda:2"}}) {
    for (const std::string engine : {"ce", "push", "pull"}) {
      for (const std::string& name :
           {std::string(a) + ">" + b, std::string(b) + ">" + a, std::string(a) + "<>" + b}) {
        EXPECT_EQ(names.count(name + " " + engine + " peer"), 1u) << name << engine;
      }
    }
  }
  EXPECT_EQ(names.count("cuda:1>cuda:2 ce peer"), 0u);
  EXPECT_EQ(std::count_if(plan.begin(), plan.end(),
                          [](const P2pSeries& s) { return s.skip == "no way"; }),
            9);
  P2pOptions few;
  few.kernels = few.both_ways = false;
  for (const P2pSeries& s : plan_links({kGpu0, kGpu1}, few, can_peer)) {
    EXPECT_TRUE(s.way.engine == CopyEngine::kCopy && !s.way.both) << text(s);
  }
}

TEST(P2pPlan, LoadsFromEveryMemoryThatADeviceReaches) {
  const auto names = [](const std::vector<DeviceId>& devices, bool skipped) {
    std::multiset<std::string> found;
    for (const P2pLoads& l : plan_loads(devices, can_peer)) {
      if (l.skip.empty() != skipped) {
        found.insert(device_name(l.from.device) + ">" + device_name(l.by) + " " + l.path);
      }
    }
    return found;
  };
  EXPECT_EQ(names({kCpu}, false), (std::multiset<std::string>{"cpu>cpu local"}));
  EXPECT_EQ(names({kCpu}, true).size(), 3u);
  EXPECT_EQ(names({kGpu0, kGpu1}, false),
            (std::multiset<std::string>{"cuda:0>cuda:0 local", "cpu>cuda:0 pinned",
                                        "cuda:1>cuda:1 local", "cpu>cuda:1 pinned",
                                        "cuda:0>cuda:1 peer", "cuda:1>cuda:0 peer"}));
  EXPECT_EQ(names({kGpu0}, true).size(), 2u);
}

TEST(P2pPlan, HopsPeerAgainstStaged) {
  const auto count = [](const std::vector<P2pHop>& hops, const std::string& name, bool skipped) {
    return std::count_if(hops.begin(), hops.end(), [&](const P2pHop& h) {
      return h.name == name && h.skip.empty() != skipped;
    });
  };
  const auto two = plan_hops({kGpu0, kGpu1}, can_peer);
  EXPECT_EQ(count(two, "peer", false), 2);
  EXPECT_EQ(count(two, "staged", false), 4);  // both orders, and on each device by itself
  EXPECT_EQ(count(two, "local", false), 2);
  const auto apart = plan_hops({kGpu0, kGpu1}, [](int, int) { return std::string("no way"); });
  EXPECT_EQ(count(apart, "peer", true), 2);
  EXPECT_EQ(count(apart, "staged", false), 4);
  const auto one = plan_hops({kGpu0}, can_peer);
  EXPECT_EQ(count(one, "peer", true), 2);
  EXPECT_EQ(count(one, "staged", true), 2);
  const auto host = plan_hops({kCpu}, can_peer);
  EXPECT_EQ(count(host, "host", false), 1);
  EXPECT_EQ(count(host, "peer", true), 2);
}

P2pOptions quick() {
  P2pOptions o;
  o.max_bytes = 1 << 16;
  o.hidden = {64};
  o.tokens = {1, 16};
  o.measure.time_cap = 0.02;
  o.measure.min_samples = 3;
  return o;
}

// Every case has an id of its own, what is skipped says why, and the report is one by its schema.
report::Report checked(const std::vector<DeviceId>& devices, const P2pOptions& options) {
  report::Report r = start_report({"ember", "bench", "p2p"}, devices);
  bench_p2p(devices, options, &r);
  finish_report(&r, 1);
  const report::Report back =
      report::parse_report(report::dump_report(report::to_json(r)), "a report");
  EXPECT_EQ(back.cases.size(), r.cases.size());
  for (const report::Case& c : r.cases) {
    EXPECT_NE(c.status, report::Status::kFailed) << c.id << ": " << c.reason;
    EXPECT_EQ(c.status == report::Status::kSkipped, c.samples.empty()) << c.id;
    if (!c.samples.empty()) {
      EXPECT_EQ(c.verified, true) << c.id;
    }
  }
  return r;
}

TEST(P2p, OfTheHost) {
  const report::Report r = checked({kCpu}, quick());
  const std::string way = "direction=one/dst=cpu/engine=host/path=local/src=cpu";
  for (const char* id : {"p2p/copy/bytes=256/", "p2p/copy/bytes=65536/", "p2p/latency/",
                         "p2p/rate/", "p2p/fit_error/"}) {
    const report::Case* c = r.find_case(id + way);
    ASSERT_NE(c, nullptr) << id;
    EXPECT_FALSE(c->samples.empty()) << id << c->reason;
  }
  EXPECT_FALSE(r.find_case("p2p/copy/bytes=256/" + way)->gate);
  EXPECT_TRUE(r.find_case("p2p/copy/bytes=65536/" + way)->gate);
  const report::Case* hop =
      r.find_case("p2p/hop/bytes=4096/dst=cpu/hidden=64/path=host/src=cpu/tokens=16");
  ASSERT_NE(hop, nullptr);
  EXPECT_EQ(hop->metric, report::Metric::kLatency);
  EXPECT_FALSE(hop->samples.empty());
  EXPECT_NE(r.find_case("p2p/load/dst=cpu/engine=load/path=local/src=cpu"), nullptr);
  const report::Case* skipped =
      r.find_case("p2p/copy/direction=one/dst=cuda:0/engine=ce/path=pinned/src=cpu");
  ASSERT_NE(skipped, nullptr);
  EXPECT_EQ(skipped->status, report::Status::kSkipped);
}

TEST(P2pCuda, OfEveryDevice) {
  EMBER_NEEDS_CUDA();
  std::vector<DeviceId> devices;
  for (const CudaDeviceInfo& gpu : cuda_devices()) {
    devices.push_back({DeviceKind::kCuda, gpu.index});
  }
  devices.resize(std::min<size_t>(devices.size(), 2));
  P2pOptions o = quick();
  o.max_bytes = 1 << 20;
  o.tokens = {1, 512};
  o.hidden = {4096};
  const report::Report r = checked(devices, o);
  for (const char* path : {"local", "staged"}) {
    EXPECT_NE(r.find_case("p2p/hop/bytes=16384/dst=cuda:0/hidden=4096/path=" + std::string(path) +
                          "/src=cuda:0/tokens=1"),
              nullptr)
        << path;
  }
  for (const report::Case& c : r.cases) {
    EXPECT_TRUE(c.status != report::Status::kSkipped || devices.size() == 1 ||
                c.reason.find("no peer") != std::string::npos)
        << c.id << ": " << c.reason;
  }
}

}  // namespace
}  // namespace ember
