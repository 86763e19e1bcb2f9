// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sstream>

#include "kernels/base/error.h"
#include "reports/nsys/attribution.h"
#include "reports/nsys/output.h"
#include "reports/reader.h"
#include "reports/writer.h"

namespace ember::report::nsys {
namespace {

// A trace written down line by line. A name's number is its place in `names`.
struct Builder {
  Trace t;

  int32_t name(const std::string& text) {
    for (size_t i = 0; i < t.names.size(); ++i) {
      if (t.names[i] == text) {
        return static_cast<int32_t>(i);
      }
    }
    t.names.push_back(text);
    return static_cast<int32_t>(t.names.size()) - 1;
  }
  Builder& range(const std::string& text, int64_t start, int64_t end, int64_t thread = 1,
                 bool nests = true) {
    t.ranges.push_back({start, end, thread, name(text), nests});
    return *this;
  }
  // A call at `at` that launches a kernel of `ns` later.
  Builder& launch(const std::string& kernel, int64_t at, int64_t ns, int64_t thread = 1,
                  int32_t device = 0) {
    t.calls.push_back({at, thread, 7, ++correlation_});
    return again(kernel, at + 1000, ns, device);
  }
  // One more kernel of the last call, as in a graph.
  Builder& again(const std::string& kernel, int64_t start, int64_t ns, int32_t device = 0) {
    t.kernels.push_back({start, start + ns, 7, correlation_, name(kernel), device});
    return *this;
  }
  Builder& lost(const std::string& kernel, int64_t start, int64_t ns) {
    t.kernels.push_back({start, start + ns, 7, -1, name(kernel), 0});
    return *this;
  }

 private:
  int64_t correlation_ = 0;
};

const PathTimes& at(const Attribution& a, const std::string& path) {
  for (const PathTimes& p : a.paths) {
    if (a.path(p) == path) {
      return p;
    }
  }
  ADD_FAILURE() << "no path " << path;
  return a.outside;
}

using Times = std::vector<double>;

TEST(Attribution, OuterRangesHoldTheKernelsOfInnerOnes) {
  Builder b;
  b.range("step", 0, 100).range("layer", 10, 40).range("layer", 50, 90).range("linear", 20, 30);
  b.launch("k", 5, 1).launch("k", 10, 2).launch("k", 25, 4).launch("k", 45, 8);
  b.launch("j", 60, 16).launch("k", 95, 32).launch("k", 100, 64);
  const Attribution a = attribute(&b.t);
  ASSERT_EQ(a.paths.size(), 3u);
  EXPECT_EQ(a.path(a.paths[2]), "step/layer/linear");
  EXPECT_EQ(at(a, "step").devices.at(0).times, Times{63});
  EXPECT_EQ(at(a, "step").devices.at(0).kernels, 6);
  EXPECT_EQ(at(a, "step").devices.at(0).spans, Times{1095 + 32 - 1005});
  EXPECT_EQ(at(a, "step/layer").ranges, 2);
  EXPECT_EQ(at(a, "step/layer").devices.at(0).times, (Times{6, 16}));
  EXPECT_EQ(at(a, "step/layer/linear").devices.at(0).times, Times{4});
  EXPECT_EQ(at(a, "step").kernels.at({0, b.name("k")}), (Times{1, 8, 32}));
  EXPECT_EQ(at(a, "step/layer").kernels.at({0, b.name("k")}), Times{2});
  // A range ends before the moment of its end.
  EXPECT_EQ(a.outside.devices.at(0).total, 64);
  EXPECT_EQ(a.totals.at(0), 127);
  EXPECT_EQ(a.launches_missing, 0);
}

TEST(Attribution, AGraphsKernelsBelongToItsLaunch) {
  Builder b;
  b.range("step", 0, 100).range("step", 100, 200);
  b.launch("k", 50, 10).again("k", 5000, 20).again("j", 9000, 30);
  b.launch("k", 150, 1).again("k", 20000, 2);
  const Attribution a = attribute(&b.t);
  EXPECT_EQ(at(a, "step").devices.at(0).times, (Times{60, 3}));
  EXPECT_EQ(at(a, "step").kernels.at({0, b.name("k")}), (Times{10, 20, 1, 2}));
}

TEST(Attribution, ThreadsAndProcessesAreApart) {
  Builder b;
  b.range("a", 0, 100, 1).range("b", 0, 100, 2);
  b.launch("k", 10, 1, 1).launch("k", 20, 2, 2).launch("k", 30, 4, 3).launch("k", 5, 8, 0);
  // The first call's correlation, of another process.
  b.t.calls.push_back({40, 2, 8, 1});
  b.t.kernels.push_back({2000, 2016, 8, 1, b.name("k"), 0});
  const Attribution a = attribute(&b.t);
  EXPECT_EQ(at(a, "a").devices.at(0).times, Times{1});
  EXPECT_EQ(at(a, "b").devices.at(0).times, Times{18});
  EXPECT_EQ(a.outside.devices.at(0).total, 12);
}

TEST(Attribution, DevicesAreApart) {
  Builder b;
  b.range("step", 0, 100).range("layer", 10, 20).range("layer", 30, 40);
  b.launch("k", 15, 1, 1, 0).launch("k", 35, 2, 1, 3).launch("k", 50, 4, 1, 3);
  const Attribution a = attribute(&b.t);
  EXPECT_EQ(at(a, "step").devices.at(0).times, Times{1});
  EXPECT_EQ(at(a, "step").devices.at(3).times, Times{6});
  EXPECT_EQ(at(a, "step/layer").devices.at(0).times, Times{1});
  EXPECT_EQ(at(a, "step/layer").devices.at(3).times, Times{2});
  EXPECT_EQ(at(a, "step/layer").ranges, 2);
  EXPECT_EQ(a.totals.at(3), 6);
}

TEST(Attribution, StartEndRangesCountBesideTheNest) {
  Builder b;
  b.range("step", 0, 100).range("request", 50, 150, 1, false).range("request", 60, 70, 1, false);
  b.launch("k", 10, 1).launch("k", 65, 2).launch("k", 120, 4);
  const Attribution a = attribute(&b.t);
  EXPECT_EQ(at(a, "step").devices.at(0).times, Times{3});
  EXPECT_EQ(at(a, "request").devices.at(0).times, (Times{2, 6}));
  EXPECT_EQ(a.outside.devices.at(0).total, 4);
  EXPECT_EQ(a.totals.at(0), 7);
}

TEST(Attribution, ARangeEndsWithTheOneAroundIt) {
  Builder b;
  b.range("outer", 0, 50).range("inner", 10, 90);
  b.launch("k", 40, 1).launch("k", 60, 2);
  const Attribution a = attribute(&b.t);
  EXPECT_EQ(at(a, "outer/inner").devices.at(0).times, Times{1});
  EXPECT_EQ(a.outside.devices.at(0).total, 2);
}

TEST(Attribution, WhatHasNoLaunchOrNoRange) {
  Builder b;
  b.range("empty", 0, 10).range("at once", 20, 20);
  b.launch("k", 20, 1).lost("k", 5, 2);
  b.t.calls.push_back(b.t.calls[0]);  // a call written twice launches once
  const Attribution a = attribute(&b.t);
  EXPECT_EQ(a.launches_missing, 1);
  EXPECT_EQ(a.outside.devices.at(0).total, 3);
  EXPECT_EQ(at(a, "empty").ranges, 1);
  EXPECT_TRUE(at(a, "empty").devices.empty());
  EXPECT_TRUE(at(a, "at once").devices.empty());
}

TEST(Attribution, NestsSoDeepAndNoDeeper) {
  Builder b;
  for (int i = 0; i < kMaxDepth; ++i) {
    b.range("r", i, 1000 - i);
  }
  b.launch("k", 500, 1);
  EXPECT_EQ(attribute(&b.t).paths.size(), size_t{kMaxDepth});
  b.range("r", 400, 600);
  try {
    attribute(&b.t);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kBadInput);
  }
}

TEST(Labels, KernelsWithoutTheirParameters) {
  EXPECT_EQ(kernel_label("void ember::<unnamed>::gemv_kernel<__nv_bfloat16, (int)4>(ember::P)"),
            "ember::gemv_kernel<__nv_bfloat16, (int)4>");
  EXPECT_EQ(kernel_label("ember::(anonymous namespace)::k(void (*)(int), T<(int)3>)"), "ember::k");
  EXPECT_EQ(kernel_label("sm90_xmma_gemm_bf16bf16"), "sm90_xmma_gemm_bf16bf16");
  EXPECT_EQ(kernel_label(""), "(no name)");
  EXPECT_EQ(kernel_label("k)))"), "k)))");
  EXPECT_EQ(kernel_label("()"), "()");
}

TEST(Labels, ArePrintableValidAndShort) {
  EXPECT_EQ(label("a\x1b[31m\n"), "a\\x1b[31m\\x0a");
  EXPECT_EQ(label("\xff"
                  "a\xc3"),
            "?a?");
  EXPECT_EQ(label("schön"), "schön");
  EXPECT_EQ(label("\xed\xa0\x80"), "???");  // a surrogate
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += "ö";
  }
  EXPECT_LE(label(text).size(), kMaxName);
  EXPECT_EQ(label(label(text)), label(text));
  EXPECT_NE(label(text), label(text + "x"));
}

Report report_of(Trace* t) {
  const Attribution a = attribute(t);
  for (const auto& [device, total] : a.totals) {
    Gpu g;
    g.index = device;
    g.name = "GPU";
    g.cc = "9.0";
    t->gpus.push_back(g);
  }
  return to_report(*t, a, {"ember"});
}

TEST(Output, TheReportReadsBack) {
  Builder b;
  b.range("step", 0, 100).range("linear", 20, 30).range("step", 200, 300).range("load", 400, 401);
  b.launch("k", 25, 2000).launch("k", 210, 3000).launch("j", 900, 500);
  const Report r = report_of(&b.t);
  const Report read = parse_report(dump_report(to_json(r)), "r.json");
  EXPECT_TRUE(read.env.profiler_attached);
  EXPECT_EQ(read.run.started, "1970-01-01T00:00:00Z");
  const Case* step = read.find_case("phase/nvtx_range/device=0/range=step");
  ASSERT_NE(step, nullptr);
  EXPECT_FALSE(step->gate);
  ASSERT_EQ(step->samples.size(), 1u);
  EXPECT_EQ(step->samples[0].values, (Times{2e-6, 3e-6}));
  ASSERT_NE(read.find_case("phase/nvtx_span/device=0/range=step/linear"), nullptr);
  ASSERT_NE(read.find_case("phase/nvtx_kernel/device=0/kernel=j/range=(no range)"), nullptr);
  const Case* load = read.find_case("phase/nvtx_range/range=load");
  ASSERT_NE(load, nullptr);
  EXPECT_EQ(load->status, Status::kSkipped);
}

TEST(Output, PathsThatReadAlikeKeepTheirCases) {
  Builder b;
  b.range("a/b", 0, 10).range("a", 20, 40).range("b", 25, 35);
  b.launch("k", 5, 1).launch("k", 30, 2);
  const Report r = report_of(&b.t);
  EXPECT_NE(r.find_case("phase/nvtx_range/device=0/range=a/b"), nullptr);
  EXPECT_NE(r.find_case("phase/nvtx_range/device=0/range=a/b/#2"), nullptr);
  parse_report(dump_report(to_json(r)), "r.json");
}

TEST(Output, LongPathsFitAReport) {
  Builder b;
  for (int i = 0; i < 60; ++i) {
    b.range(std::string(200, 'r'), i, 1000 - i);
  }
  b.launch(std::string(200, 'k'), 500, 1);
  const Report r = report_of(&b.t);
  EXPECT_EQ(parse_report(dump_report(to_json(r)), "r.json").cases.size(), 121u);
}

}  // namespace
}  // namespace ember::report::nsys
