// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/run_report.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "engine/core/version.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

using Json = nlohmann::ordered_json;

double first_token_seconds(const GenerateResult& r) {
  return r.token_seconds.empty() ? 0 : r.token_seconds.front();
}

// Nearest-rank percentiles of the gaps between tokens, in milliseconds.
Json gap_percentiles(const std::vector<double>& seconds) {
  if (seconds.size() < 2) {
    return nullptr;
  }
  std::vector<double> gaps;
  for (size_t i = 1; i < seconds.size(); ++i) {
    gaps.push_back((seconds[i] - seconds[i - 1]) * 1e3);
  }
  std::sort(gaps.begin(), gaps.end());
  const auto at = [&gaps](size_t percent) {
    return gaps[std::max<size_t>(1, (gaps.size() * percent + 99) / 100) - 1];
  };
  return {{"p50", at(50)}, {"p90", at(90)}, {"p99", at(99)}, {"max", gaps.back()}};
}

Json sampling_json(const EffectiveSampling& sampling) {
  Json out;
  for (const EffectiveValue& v : sampling.values) {
    std::string key = v.name;
    std::replace(key.begin(), key.end(), '-', '_');
    out[key] = {{"value", v.value}, {"source", v.source}};
  }
  out["greedy"] = sampling.params.is_greedy();
  out["seed"] = {{"value", sampling.params.seed}, {"source", sampling.seed_source}};
  return out;
}

// " (29.54 GB at 45.1 GB/s)" where weights were copied to a device.
std::string load_rate(const LoadStats& load) {
  if (load.copied_bytes == 0) {
    return "";
  }
  char text[64];
  std::snprintf(text, sizeof(text), " (%.2f GB at %.1f GB/s)",
                static_cast<double>(load.copied_bytes) / 1e9, load.gb_s());
  return text;
}

}  // namespace

double rate(double tokens, double seconds) {
  return seconds > 0 ? tokens / seconds : 0;
}

std::string stats_text(const RunReport& report) {
  const GenerateResult& r = report.result;
  const auto fed = static_cast<double>(r.prompt_tokens - r.cached_tokens);
  const double decoded = r.ids.empty() ? 0 : static_cast<double>(r.ids.size() - 1);
  char line[512];
  int n = std::snprintf(line, sizeof(line), "prompt %lld tokens",
                        static_cast<long long>(r.prompt_tokens));
  std::string out(line, static_cast<size_t>(n));
  if (r.cached_tokens > 0) {
    out += " (" + std::to_string(r.cached_tokens) + " cached)";
  }
  n = std::snprintf(
      line, sizeof(line),
      " in %.2f s (%.1f tok/s); generated %zu tokens, %.1f tok/s; first after %.2f s; "
      "loaded in %.2f s%s; stopped by %s; seed %llu",
      r.prefill_seconds, rate(fed, r.prefill_seconds), r.ids.size(),
      rate(decoded, r.decode_seconds()), first_token_seconds(r), report.load_seconds,
      load_rate(report.load).c_str(), name(r.reason), static_cast<unsigned long long>(r.seed));
  return out + std::string(line, static_cast<size_t>(n));
}

Json run_json(const RunReport& report) {
  const GenerateResult& r = report.result;
  const Version v = version();
  const double decoded = r.ids.empty() ? 0 : static_cast<double>(r.ids.size() - 1);
  const bool any = !r.token_seconds.empty();
  Json out;
  out["schema"] = "ember.run/1";
  out["ember"] = {{"version", v.number}, {"commit", v.commit}, {"modified", v.dirty}};
  out["model"] = report.model;
  out["devices"] = report.devices;
  out["sampling"] = sampling_json(report.sampling);
  out["prompt_tokens"] = r.prompt_tokens;
  out["cached_tokens"] = r.cached_tokens;
  out["generated_tokens"] = r.ids.size();
  out["thinking_tokens"] = r.thinking_tokens;
  out["reason"] = name(r.reason);
  out["stop_string"] = r.stop_string.empty() ? Json(nullptr) : Json(r.stop_string);
  out["text"] = report.text;
  out["thinking"] = report.thinking.empty() ? Json(nullptr) : Json(report.thinking);
  out["ids"] = r.ids;
  out["load"] = {{"bytes", report.load.bytes},
                 {"copied_bytes", report.load.copied_bytes},
                 {"seconds", report.load.seconds},
                 {"gb_s", report.load.copied_bytes > 0 ? Json(report.load.gb_s()) : Json(nullptr)}};
  out["timing"] = {{"load_seconds", report.load_seconds},
                   {"prefill_seconds", r.prefill_seconds},
                   {"prefill_tok_s", rate(static_cast<double>(r.prompt_tokens - r.cached_tokens),
                                          r.prefill_seconds)},
                   {"first_token_seconds", any ? Json(first_token_seconds(r)) : Json(nullptr)},
                   {"decode_seconds", r.decode_seconds()},
                   {"decode_tok_s", rate(decoded, r.decode_seconds())},
                   {"total_seconds", r.total_seconds},
                   {"token_gap_ms", gap_percentiles(r.token_seconds)},
                   {"token_seconds", r.token_seconds}};
  return out;
}

std::string dump_json(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

void write_file(const std::string& path, const std::string& text) {
  if (path == "-") {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout)) {
      fail(ErrorKind::kBadInput, "stdout cannot be written: ", std::strerror(errno));
    }
    return;
  }
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) {
    fail(ErrorKind::kBadInput, path, ": cannot be written: ", std::strerror(errno));
  }
}

}  // namespace ember
