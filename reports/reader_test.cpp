// SPDX-License-Identifier: Apache-2.0
#include "reports/reader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "engine/io/mmap_file.h"
#include "kernels/base/error.h"
#include "kernels/base/temporary_directory.h"
#include "reports/testing/sample_report.h"
#include "reports/writer.h"

namespace ember::report {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_report(text, "r.json");
  } catch (const Error& e) {
    EXPECT_EQ(exit_code(e.kind()), 4) << e.what();
    return e.what();
  }
  return "accepted";
}

// The message after replacing what stands at `pointer` in a good report.
std::string refusal_of(const std::string& pointer, const Json& value) {
  Json j = to_json(sample_report());
  j[Json::json_pointer(pointer)] = value;
  return refusal(j.dump());
}

void expect_says(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(Reader, AReportReadsAsItWasWritten) {
  const std::string text = dump_report(to_json(sample_report()));
  const Report r = parse_report(text, "r.json");
  EXPECT_EQ(dump_report(to_json(r)), text);
  EXPECT_EQ(r.cases.size(), sample_report().cases.size());
  const Case* linear = r.find_case("kernel/linear/M=512/l2=cold");
  ASSERT_NE(linear, nullptr);
  EXPECT_EQ(linear->samples.size(), 3u);
  EXPECT_EQ(linear->ceiling->ref, "gemm_bf16@cuda:0");
}

// Of 1.0 are the oldest ones that are kept.
TEST(Reader, ReportsOfEarlierVersions) {
  int64_t read = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           std::string(EMBER_SOURCE_DIR) + "/reports/baselines")) {
    const std::string path = entry.path().string();
    if (entry.path().extension() != ".json" ||
        read_text_file(path, kMaxReportBytes).find("\"ember.report\"") == std::string::npos) {
      continue;
    }
    ++read;
    Report r;
    EXPECT_NO_THROW(r = read_report(path));
    EXPECT_EQ(to_json(r)["schema"]["version"], kReportVersion);
  }
  EXPECT_GE(read, 5);
  Json old = to_json(sample_report());
  old["schema"]["version"] = "1.0";
  for (const char* added : {"persistence", "power_default_w", "sm_mhz_requested", "sm_mhz_limit",
                            "mem_mhz_seen", "temp_start_c"}) {
    EXPECT_EQ(old["env"]["gpus"][0].erase(added), 1u) << added;
  }
  old["env"]["gpus"][0]["throttle"].erase("setting");
  old["env"]["gpus"][0]["nvlink"].erase("bytes_per_s");
  const Report r = parse_report(old.dump(), "r.json");
  EXPECT_FALSE(r.env.gpus[0].sm_mhz_limit.has_value());
  EXPECT_EQ(r.env.gpus[1].sm_mhz_limit, 1980);
}

TEST(Reader, NamesTheFieldThatIsWrong) {
  expect_says(refusal_of("/cases/0/samples/1/values/2", "fast"), "cases[0].samples[1].values[2]");
  expect_says(refusal_of("/cases/0/samples/1/values/2", "fast"), "expected number");
  expect_says(refusal_of("/env/gpus/1/clock_policy", "wild"), "env.gpus[1].clock_policy");
  expect_says(refusal_of("/run/started", "yesterday"), "run.started");
  expect_says(refusal_of("/subject/surprise", 1), "unknown field 'surprise'");
  expect_says(refusal_of("/cases/0/unit", "ms"), "cases[0].unit");
  expect_says(refusal_of("/cases/0/unit", "J"), "The unit follows from the metric");
  expect_says(refusal_of("/cases/0/status", "skipped"), "cases[0].reason");
  expect_says(refusal_of("/cases/0/ceiling/share", 1.2), "cases[0].ceiling.share");
  expect_says(refusal_of("/schema/version", "2.0"), "reads reports of versions 1.0 and 1.1");
  expect_says(refusal_of("/cases/0/excluded/warmup", -1), "cases[0].excluded.warmup");
  expect_says(refusal_of("/cases/0/excluded/warmup", 1.5), "integer");
}

TEST(Reader, RefusesWhatNoSchemaCanSay) {
  const Json j = to_json(sample_report());
  expect_says(refusal_of("/cases/1/id", j["cases"][0]["id"]), "occurs twice");
  expect_says(refusal_of("/cases/0/samples/1/process", 0), "process 0 occurs twice");
  expect_says(refusal_of("/cases/0/ceiling/ref", "mem_read@cuda:7"), "no ceiling");
  expect_says(refusal_of("/cases/0/summary/median", 1.0), "the samples give");
  expect_says(refusal_of("/ceilings/1/id", j["ceilings"][0]["id"]), "occurs twice");
  Json failed = j;
  failed["cases"][0]["status"] = "failed";
  failed["cases"][0]["reason"] = "x";
  failed["cases"][0]["summary"] = nullptr;
  expect_says(refusal(failed.dump()), "their summary is missing");
}

TEST(Reader, RefusesWhatIsNoJson) {
  expect_says(refusal(""), "byte 0");
  expect_says(refusal("[]"), "expected object");
  expect_says(refusal("{\"schema\":1,\"schema\":2}"), "duplicate key");
  expect_says(refusal(std::string(100, '[')), "nested deeper");
  expect_says(refusal("{\"a\":NaN}"), "byte");
  expect_says(refusal("{\"a\":1e999}"), "out of range");
  std::string cut = dump_report(to_json(sample_report()));
  cut.resize(cut.size() / 2);
  EXPECT_NE(refusal(cut), "accepted");
}

TEST(Reader, ExtensionFieldsPass) {
  Json j = to_json(sample_report());
  j["x_note"] = {{"any", {1, 2, nullptr}}};
  j["cases"][0]["x_note"] = "kept";
  EXPECT_EQ(refusal(j.dump()), "accepted");
}

TEST(Writer, NeverWritesWhatTheReaderRefuses) {
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    Report r = sample_report();
    r.cases[0].samples[0].values[0] = bad;
    EXPECT_THROW(to_json(r), Error);
  }
  Report twice = sample_report();
  twice.cases.push_back(twice.cases[0]);
  EXPECT_THROW(to_json(twice), Error);
  Report bytes = sample_report();
  bytes.env.gpus[0].name = "bad \xff byte";
  EXPECT_NE(to_json(bytes)["env"]["gpus"][0]["name"].get<std::string>().find("\xef\xbf\xbd"),
            std::string::npos);
}

TEST(Writer, AFailedWriteLeavesTheOldFile) {
  const TemporaryDirectory dir;
  const std::string path = dir / "report.json";
  write_report(path, sample_report(1));
  Report bad = sample_report(2);
  bad.run.started = "never";
  EXPECT_THROW(write_report(path, bad), Error);
  EXPECT_EQ(dump_report(to_json(read_report(path))), dump_report(to_json(sample_report(1))));
  EXPECT_THROW(write_report("/nowhere/at/all.json", sample_report()), Error);
}

TEST(Model, AShareAboveOneFailsTheCase) {
  Case c = make_case(Kind::kKernel, "copy", {}, Metric::kTime);
  set_ceiling(c, {"mem_read@cpu", "cpu", "mem_read", 1e10, "B/s", std::nullopt, "measured"},
              1.3e10);
  EXPECT_EQ(c.status, Status::kFailed);
  expect_says(c.reason, "130 %");
}

TEST(Model, IdsAreSortedAndFingerprintsFollowTheMachine) {
  EXPECT_EQ(case_id(Kind::kP2p, "copy", {{"src", 1.0}, {"bytes", 4096.0}, {"both", true}}),
            "p2p/copy/both=true/bytes=4096/src=1");
  Report a = sample_report(1), b = sample_report(2);
  EXPECT_EQ(fingerprint(a), fingerprint(b));
  b.env.gpus[0].name = "Other GPU";
  EXPECT_NE(fingerprint(a), fingerprint(b));
}

}  // namespace
}  // namespace ember::report
