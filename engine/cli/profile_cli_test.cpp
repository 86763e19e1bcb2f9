// SPDX-License-Identifier: Apache-2.0
// What a profiler sees: the binary runs with kernels/base/nvtx_probe.cpp in a profiler's place, and
// the ranges that it wrote down are checked.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "engine/cli/testing/process.h"
#include "engine/cli/testing/temp_file.h"

namespace ember {
namespace {

const std::string kOdd = EMBER_SOURCE_DIR "/golden/models/odd";

struct Range {
  std::string path;  // names from the outermost to this one: "decode_step/layer/linear"
  int64_t payload;
};

// The ranges in the order of their beginnings; fails the test where the record is not well formed.
std::vector<Range> parse(const std::string& record) {
  std::vector<Range> all;
  std::map<int, std::vector<std::string>> open;  // by thread
  std::istringstream in(record);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string what, domain, name, payload;
    int thread = -1;
    words >> what >> thread >> domain >> name >> payload;
    EXPECT_EQ(domain, "ember") << line;
    std::vector<std::string>& stack = open[thread];
    if (what == "push") {
      EXPECT_NE(name.substr(0, 1), "!") << "a text that is not registered: " << line;
      EXPECT_NE(payload, "none") << line;
      stack.push_back(stack.empty() ? name : stack.back() + "/" + name);
      all.push_back({stack.back(), payload == "none" ? -1 : std::stoll(payload)});
    } else {
      EXPECT_EQ(what, "pop") << line;
      EXPECT_FALSE(stack.empty()) << "more ends than beginnings: " << line;
      if (!stack.empty()) {
        stack.pop_back();
      }
    }
  }
  for (const auto& [thread, stack] : open) {
    EXPECT_TRUE(stack.empty()) << "thread " << thread << " left " << stack.back() << " open";
  }
  return all;
}

std::vector<int64_t> payloads(const std::vector<Range>& all, const std::string& path) {
  std::vector<int64_t> found;
  for (const Range& r : all) {
    if (r.path == path) {
      found.push_back(r.payload);
    }
  }
  return found;
}

struct Profiled {
  ProcessResult result;
  std::string record;
};

// A run with the probe in place, on two stages.
Profiled profiled(const std::vector<std::string>& more) {
  TempFile record;
  std::vector<std::string> args = {"-m", kOdd, "--devices", "cpu,cpu", "--temp", "0"};
  args.insert(args.end(), more.begin(), more.end());
  ProcessOptions options;
  options.environment = {"NVTX_INJECTION64_PATH=" EMBER_NVTX_PROBE_LIBRARY,
                         "EMBER_NVTX_PROBE=" + record.path};
  Profiled run;
  run.result = run_ember(args, options);
  run.record = record.read();
  return run;
}

TEST(Profile, RangesOfAWholeRun) {
  const std::string text = "What one device can compute, another can too";
  const std::vector<std::string> args = {"-p", text, "-n", "4", "--chunk", "5", "--ignore-eos"};
  TempFile report;
  std::vector<std::string> with_report = args;
  with_report.insert(with_report.end(), {"--json", report.path});
  const Profiled run = profiled(with_report);
  ASSERT_EQ(run.result.exit_code, 0) << run.result.err;
  const int64_t prompt = nlohmann::json::parse(report.read()).at("prompt_tokens").get<int64_t>();
  const std::vector<Range> all = parse(run.record);
  ASSERT_FALSE(all.empty()) << "NVTX did not load the probe";

  const auto loads = payloads(all, "load");
  ASSERT_EQ(loads.size(), 2u);
  EXPECT_GT(loads[0], 0);
  EXPECT_GT(loads[1], 0);
  const auto tokenized = payloads(all, "tokenize");
  ASSERT_FALSE(tokenized.empty());
  EXPECT_EQ(tokenized[0], static_cast<int64_t>(text.size()));

  // Chunks of 5 tokens and the rest; stage 0 has each one a turn before stage 1.
  std::vector<int64_t> chunks, passes;
  for (int64_t done = 0; done < prompt; done += 5) {
    chunks.push_back(std::min<int64_t>(5, prompt - done));
    passes.push_back(chunks.back());
    if (chunks.size() > 1) {
      passes.push_back(chunks[chunks.size() - 2]);
    }
  }
  passes.push_back(chunks.back());
  EXPECT_EQ(payloads(all, "prefill_chunk"), passes);
  EXPECT_EQ(payloads(all, "decode_step"), (std::vector<int64_t>{prompt, prompt + 1, prompt + 2}));
  // Each token is chosen in the pass whose logits it comes from.
  EXPECT_TRUE(payloads(all, "sample").empty());
  EXPECT_EQ(payloads(all, "prefill_chunk/sample"), (std::vector<int64_t>{prompt}));
  EXPECT_EQ(payloads(all, "decode_step/sample"),
            (std::vector<int64_t>{prompt + 1, prompt + 2, prompt + 3}));
  std::ifstream config_file(kOdd + "/config.json");
  const nlohmann::json config = nlohmann::json::parse(config_file);
  const int64_t layers = config.at("num_hidden_layers"), hidden = config.at("hidden_size");
  std::vector<int64_t> want_layers, want_hops;
  for (size_t i = 0; i < chunks.size(); ++i) {
    for (int64_t l = 0; l < layers; ++l) {
      want_layers.push_back(l);
    }
    want_hops.push_back(chunks[i] * hidden * 4);
  }
  std::vector<int64_t> got_layers = payloads(all, "prefill_chunk/layer");
  std::sort(got_layers.begin(), got_layers.end());
  std::sort(want_layers.begin(), want_layers.end());
  EXPECT_EQ(got_layers, want_layers);
  EXPECT_EQ(payloads(all, "prefill_chunk/hop"), want_hops);
  EXPECT_EQ(payloads(all, "prefill_chunk/embed"), chunks);
  EXPECT_EQ(payloads(all, "prefill_chunk/head"), (std::vector<int64_t>{1}));  // of the last token

  // Ops of a decode step.
  const size_t steps = 3, n = static_cast<size_t>(layers) * steps;
  EXPECT_EQ(payloads(all, "decode_step/embed").size(), steps);
  EXPECT_EQ(payloads(all, "decode_step/head/linear").size(), steps);
  EXPECT_EQ(payloads(all, "decode_step/layer/rmsnorm").size(), 2 * n);
  EXPECT_EQ(payloads(all, "decode_step/layer/linear").size(), 7 * n);  // q, k, v, o, gate, up, down
  EXPECT_EQ(payloads(all, "decode_step/layer/qk_norm_rope").size(), n);
  EXPECT_EQ(payloads(all, "decode_step/layer/attention").size(), n);
  EXPECT_EQ(payloads(all, "decode_step/layer/attention")[0], prompt);
  EXPECT_EQ(payloads(all, "decode_step/layer/swiglu").size(), n);

  // A tool changes nothing that is computed.
  std::vector<std::string> plain = {"-m", kOdd, "--devices", "cpu,cpu", "--temp", "0"};
  plain.insert(plain.end(), args.begin(), args.end());
  EXPECT_EQ(run_ember(plain).out, run.result.out);
}

}  // namespace
}  // namespace ember
