// SPDX-License-Identifier: Apache-2.0
#include "reports/html/page.h"

#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "reports/format.h"
#include "reports/html/markup.h"
#include "reports/html/plots.h"
#include "reports/reader.h"
#include "reports/stats.h"
#include "reports/testing/sample_report.h"
#include "reports/writer.h"

namespace ember::report {
namespace {

std::string html(const Page& page) {
  std::ostringstream out;
  write_page(out, page);
  return out.str();
}

Page full_page() {
  Page page;
  page.report = sample_report(2);
  page.comparison = compare(sample_report(1), page.report, {});
  for (uint64_t seed = 1; seed < 6; ++seed) {
    page.history.push_back(history_entry(sample_report(seed)));
  }
  return page;
}

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++n;
  }
  return n;
}

TEST(Page, HoldsEveryNumberOfTheReport) {
  const Page page = full_page();
  const std::string text = html(page);
  for (const Case& c : page.report.cases) {
    EXPECT_NE(text.find(id_cell(c.id)), std::string::npos) << c.id;
    if (!c.samples.empty()) {
      const Summary s = summarise(c.samples);
      EXPECT_NE(text.find("<td data-v=\"" + Json(s.median).dump() + "\">" +
                          human(s.median, unit(c.metric))),
                std::string::npos)
          << c.id;
    }
    if (c.ceiling) {
      EXPECT_NE(text.find(percent(c.ceiling->share)), std::string::npos) << c.id;
    }
    for (const KernelLaunch& l : c.kernel ? c.kernel->launches : std::vector<KernelLaunch>()) {
      EXPECT_NE(text.find(l.kernel + (l.blocks ? " 132 × 256" : "")), std::string::npos) << c.id;
    }
    if (!c.reason.empty()) {
      EXPECT_NE(text.find(html_text(c.reason)), std::string::npos) << c.reason;
    }
  }
  for (const char* title : {"Overview", "Against BASE", "Kernels", "Roofline", "Latency", "Links",
                            "Golden", "History", "Pipeline stages", "Other cases"}) {
    EXPECT_NE(text.find(std::string("<h2>") + title), std::string::npos) << title;
  }
}

TEST(Page, EmbedsTheReportItself) {
  const Page page = full_page();
  const std::string text = html(page);
  const std::string open = "<script type=\"application/json\" id=\"report\">";
  const size_t from = text.find(open) + open.size();
  const std::string json = text.substr(from, text.find("</script>", from) - from);
  const Report again = parse_report(json, "page");
  EXPECT_EQ(dump_report(to_json(again)), dump_report(to_json(page.report)));
}

TEST(Page, LoadsNothing) {
  const std::string text = html(full_page());
  for (const char* loads :
       {"http://", "https://", " src=\"", "href=\"h", "@import", "url(", "fetch("}) {
    EXPECT_EQ(text.find(loads), std::string::npos) << loads;
  }
  EXPECT_EQ(text, html(full_page()));  // the same bytes
}

TEST(Page, PlotsStandWhereTheValuesSay) {
  // Four samples of one process, spread evenly from 4 to 166 on the strip.
  Case c = make_case(Kind::kKernel, "a", {}, Metric::kTime);
  c.samples = {{0, 0, std::nullopt, {1, 2, 3, 4}}};
  EXPECT_NE(strip_plot(c).find("d=\"M4.0 11.0h0M58.0 11.0h0M112.0 11.0h0M166.0 11.0h0\""),
            std::string::npos)
      << strip_plot(c);
  const Report r = sample_report();
  size_t points = 0;
  for (const Case& k : r.cases) {
    points += k.work && k.work->flops && std::string(unit(k.metric)) == "s";
  }
  EXPECT_EQ(count(roofline_plot(r), "<circle"), points);
  const std::string heat = heat_map(r);
  EXPECT_EQ(count(heat, "<td class=\"heat\""), 4u);
  EXPECT_EQ(count(heat, ">skipped<"), 1u);
  EXPECT_EQ(count(heat, "<table"), 1u);
  const Comparison compared = compare(sample_report(1), sample_report(2), {});
  size_t judged = 0;
  for (const CaseVerdict& v : compared.cases) {
    judged += v.shift.has_value() && v.verdict != Verdict::kNotJudged;
  }
  EXPECT_EQ(count(forest_plot(compared), "<circle"), judged);
}

Case link(const char* what, const Params& more, Metric metric, double value) {
  Params params = {{"src", std::string("cuda:0")}, {"dst", std::string("cuda:1")}};
  params.insert(more.begin(), more.end());
  Case c = make_case(Kind::kP2p, what, params, metric);
  c.samples = {{0, 0, std::nullopt, {value}}};
  return c;
}

// The largest message by its quickest way stands for a pair; what goes both ways, latencies and the
// pipeline's messages have tables of their own.
TEST(Page, LinksByBandwidthLatencyAndMessage) {
  const auto path = [](const char* name) { return std::string(name); };
  Report r = sample_report();
  r.cases = {link("copy", {{"bytes", 1e9}, {"engine", path("ce")}}, Metric::kBandwidth, 3e11),
             link("copy", {{"bytes", 1e9}, {"engine", path("push")}}, Metric::kBandwidth, 3.5e11),
             link("copy", {{"bytes", 256.0}, {"engine", path("pull")}}, Metric::kBandwidth, 9e11),
             link("rate", {{"engine", path("ce")}}, Metric::kBandwidth, 8e11),
             link("copy", {{"bytes", 1e9}, {"direction", path("both")}}, Metric::kBandwidth, 7e11),
             link("latency", {{"engine", path("ce")}}, Metric::kLatency, 3e-6),
             link("latency", {{"engine", path("push")}}, Metric::kLatency, 2e-6),
             link("load", {{"engine", path("load")}}, Metric::kLatency, 7e-7),
             link("hop", {{"bytes", 16384.0}, {"path", path("peer")}}, Metric::kLatency, 5e-6),
             link("hop", {{"bytes", 16384.0}, {"path", path("staged")}}, Metric::kLatency, 2e-5)};
  const std::string tables = heat_map(r);
  EXPECT_EQ(count(tables, "<table"), 5u);
  for (const char* shown : {">350.0 GB/s<", ">700.0 GB/s<", ">2.000 us<", ">700.0 ns<",
                            ">5.000 us<", ">20.00 us<", ">peer<", ">staged<"}) {
    EXPECT_EQ(count(tables, shown), 1u) << shown;
  }
  for (const char* hidden : {"300.0 GB/s", "900.0 GB/s", "800.0 GB/s", "3.000 us"}) {
    EXPECT_EQ(count(tables, hidden), 0u) << hidden;
  }
}

// Every string of a report is an attack; the page must have the elements it would have anyway.
TEST(Page, HostileTextStaysText) {
  const std::string evil =
      "</script></title></style><script>alert(1)</script><img src=x onerror=alert(1)>\" '"
      " onload=alert(1) <!-- ]]> &lt; \xe2\x80\xa8 {{x}} javascript:alert(1)";
  Page calm = full_page(), page = full_page();
  Report& r = page.report;
  r.run.id = r.run.command[0] = r.subject.commit = r.subject.version = evil;
  r.env.host.cpu = r.env.gpus[0].name = r.model->name = evil;
  r.ceilings[1].id = evil;
  for (size_t i = 0; i < r.cases.size(); ++i) {
    Case& c = r.cases[i];
    c.id = std::to_string(i) + evil;
    c.params["op"] = evil;
    if (c.kind == Kind::kP2p) {
      c.params["src"] = evil;
    }
    c.reason = c.reason.empty() ? "" : evil;
    if (c.ceiling && c.ceiling->ref == "gemm_bf16@cuda:0") {
      c.ceiling->ref = evil;
    }
    if (c.golden) {
      c.golden->first_bad = evil;
      c.golden->layers[0].tap = evil;
    }
    for (Stage& s : c.stages) {
      s.device = evil;
    }
  }
  page.comparison = compare(r, r, {});
  for (HistoryEntry& e : page.history) {
    e = history_entry(r);
  }
  const std::string text = html(page);
  EXPECT_EQ(count(text, "<script"), 2u);
  EXPECT_EQ(count(text, "</script"), 2u);
  EXPECT_EQ(count(text, "</style"), 1u);
  EXPECT_EQ(text.find("<img"), std::string::npos);
  EXPECT_EQ(text.find("<!--"), std::string::npos);
  // No attribute but ours: each tag is a name and quoted attributes of a known set.
  const size_t json = text.find("<script type"), style = text.find("</style>");
  const std::string body = text.substr(style, json - style);
  const std::regex attribute("[ \n]([a-zA-Z:-]+)=\"[^\"]*\"");
  for (size_t at = body.find('<'); at != std::string::npos; at = body.find('<', at + 1)) {
    const std::string tag = body.substr(at, body.find('>', at) - at);
    for (auto it = std::sregex_iterator(tag.begin(), tag.end(), attribute);
         it != std::sregex_iterator(); ++it) {
      EXPECT_NE((*it)[1].str().substr(0, 2), "on") << tag;
    }
    EXPECT_EQ(std::count(tag.begin(), tag.end(), '"') % 2, 0) << tag;
  }
}

TEST(Page, AnEmptyReportIsAPage) {
  Page page;
  page.report = sample_report();
  page.report.cases.clear();
  EXPECT_NE(html(page).find("</html>"), std::string::npos);
}

TEST(Page, ManyCasesForOneReasonStandBehindTheirNumber) {
  Page page;
  page.report = sample_report();
  const auto add = [&](const char* name, const char* why) {
    skip(page.report.cases.emplace_back(make_case(Kind::kCheck, name, {}, Metric::kCount)), why);
  };
  for (const char* name : {"a", "b", "c", "d"}) {
    add(name, "no GPU");
  }
  for (const char* name : {"x", "y"}) {
    add(name, "no link");
  }
  const std::string text = html(page);
  EXPECT_EQ(count(text, "<td class=\"text wrap\">no GPU<"), 1u);
  EXPECT_EQ(count(text, "<summary>4 cases</summary><table><tr>" + id_cell("check/a")), 1u);
  EXPECT_EQ(count(text, "<td class=\"text wrap\">no link<"), 2u);
}

// As many rows and columns as a hostile report likes.
TEST(Page, LinksOfMoreDevicesThanThereAre) {
  Report r = sample_report();
  r.cases.clear();
  for (int i = 0; i < 3000; ++i) {
    Case c = make_case(
        Kind::kP2p, "copy",
        {{"src", "a" + std::to_string(i)}, {"dst", "b" + std::to_string(i)}, {"bytes", 1.0}},
        Metric::kBandwidth);
    c.samples = {{0, 0, std::nullopt, {1.0}}};
    r.cases.push_back(c);
  }
  EXPECT_LT(heat_map(r).size(), size_t{4} << 20);
}

TEST(Markup, Escapes) {
  EXPECT_EQ(id_cell("kernel/<b>/M=1"), "<td class=\"id\">kernel/<wbr>&lt;b&gt;/<wbr>M=1</td>");
  EXPECT_EQ(html_text("<a href='x\">&"), "&lt;a href=&#39;x&quot;&gt;&amp;");
  EXPECT_EQ(script_json(Json("</script><!--&\xe2\x80\xa8")),
            "\"\\u003c/script\\u003e\\u003c!--\\u0026\\u2028\"");
  EXPECT_EQ(Json::parse(script_json(Json("</script>"))), "</script>");
}

TEST(Scale, TicksAreRound) {
  EXPECT_EQ(Scale(0, 10, 0, 1, false).ticks(), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(Scale(1, 1000, 0, 1, true).ticks().size(), 4u);
  EXPECT_EQ(Scale(5, 5, 0, 100, false).at(5), 50);
}

}  // namespace
}  // namespace ember::report
