// SPDX-License-Identifier: Apache-2.0
#include "reports/format.h"

#include <gtest/gtest.h>

#include <sstream>

#include "reports/testing/sample_report.h"

namespace ember::report {
namespace {

std::string line_of(const std::string& text, const std::string& start, size_t from) {
  const size_t at = text.find("\n" + start, from);
  EXPECT_NE(at, std::string::npos) << start << " in\n" << text.substr(from);
  return at == std::string::npos ? "" : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
}

TEST(Print, PercentilesStallsAndStages) {
  Report r = sample_report();
  Case c = make_case(Kind::kE2e, "decode", {{"model", std::string("m")}}, Metric::kTpot);
  std::vector<double> values(99, 1e-3);
  values.push_back(4e-3);
  c.samples.push_back({0, 0, {}, values});
  c.stages = {{0, "cuda:0", 0.5, 0.5, 3e-6}, {1, "cuda:1", 0.25, 0.75, {}}};
  r.cases = {c};
  std::ostringstream out;
  print(out, r);
  const std::string text = out.str();
  const std::string latency = line_of(text, "e2e/decode/model=m", text.find("p99"));
  EXPECT_NE(latency.find("1.000 ms"), std::string::npos);
  EXPECT_NE(latency.find("4.000 ms           1"), std::string::npos) << latency;
  const size_t stages = text.find("bubble");
  EXPECT_NE(text.find("0 cuda:0", stages), std::string::npos);
  EXPECT_NE(text.find("75.0 %", stages), std::string::npos);
  EXPECT_NE(text.find("3.000 us", stages), std::string::npos);
}

TEST(Print, WhatTheMachineDid) {
  Report r = sample_report();
  r.env.gpus.resize(1);
  r.env.gpus[0].throttle->power = 0.25;
  const auto facts = run_facts(r);
  const auto of = [&](const std::string& key) {
    for (const auto& [name, value] : facts) {
      if (name == key) {
        return value;
      }
    }
    return std::string("absent");
  };
  EXPECT_EQ(of("cuBLAS"), "12.4.5");
  EXPECT_EQ(of("container"), "yes");
  EXPECT_EQ(of("gpu 0 SM clock"),
            "1965 to 1980 MHz, median 1980, asked for 1980 MHz, at most 1980 MHz");
  EXPECT_EQ(of("gpu 0 slowed, share of samples"),
            "power limit 25.0 %, heat 0.0 %, hardware's brake 0.0 %, clock setting 0.0 %");
  EXPECT_EQ(of("gpu 0 temperature"), "35 C at first, 55 C at most");
  EXPECT_EQ(of("gpu 0 NVLink"), "18 links of generation 4, 478.0 GB/s each way");
  std::ostringstream out;
  print(out, r);
  EXPECT_NE(out.str().find("gpu 0 PCIe: generation 5 of 5, 16 lanes\n"), std::string::npos);
  Gpu bare;
  bare.name = "GPU";
  r.env = Environment();
  r.env.gpus = {bare};
  EXPECT_EQ(run_facts(r).size(), 1u);  // the host's memory
}

TEST(Print, ResourcesWhereThereAreAny) {
  Report r = sample_report();
  std::ostringstream out;
  print(out, r);
  EXPECT_NE(out.str().find("regs"), std::string::npos);
  EXPECT_NE(out.str().find("64   16384      0"), std::string::npos);
  EXPECT_NE(out.str().find("library"), std::string::npos);
  for (Case& c : r.cases) {
    c.kernel.reset();
  }
  std::ostringstream bare;
  print(bare, r);
  EXPECT_EQ(bare.str().find("regs"), std::string::npos);
}

}  // namespace
}  // namespace ember::report
