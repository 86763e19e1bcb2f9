// SPDX-License-Identifier: Apache-2.0
#include "reports/html/page.h"

#include <algorithm>
#include <map>

#include "reports/embedded.h"
#include "reports/export/export.h"
#include "reports/format.h"
#include "reports/html/markup.h"
#include "reports/html/plots.h"
#include "reports/stats.h"
#include "reports/writer.h"

namespace ember::report {
namespace {

std::string tile(const std::string& number, const std::string& label, const char* css) {
  const bool word = number.find_first_of("0123456789") == std::string::npos;
  return std::string("<div class=\"tile") + (word ? " word" : "") + "\"><b class=\"" + css + "\">" +
         html_text(number) + "</b>" + html_text(label) + "</div>";
}

std::string exact(double v) {
  return Json(v).dump();
}

void write_head(std::ostream& out, const Report& r) {
  // The nonce lets this page's own script run and no other; nothing may be loaded from anywhere.
  out << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
         "style-src 'unsafe-inline'; script-src 'nonce-ember'; img-src data:\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<link rel=\"icon\" href=\"data:,\">\n<title>Ember report "
      << html_text(r.run.id) << "</title>\n<style>\n"
      << kPageStyle << "</style></head>\n<body>\n<header><h1>Ember report</h1>"
      << "<button id=\"theme\" type=\"button\">light / dark</button></header>\n";
}

void write_origin(std::ostream& out, const Report& r) {
  const auto row = [&out](const std::string& key, const std::string& value) {
    out << "<dt>" << html_text(key) << "</dt><dd>" << html_text(value) << "</dd>";
  };
  out << "<p>" << html_text(r.env.gpus.empty() ? r.env.host.cpu : r.env.gpus[0].name);
  if (r.model) {
    out << ", " << html_text(r.model->name) << " " << html_text(r.model->dtype);
  }
  out << ", commit " << html_text(r.subject.commit.substr(0, 12))
      << (r.subject.dirty ? " (dirty)" : "") << ", " << html_text(r.run.started)
      << "</p>\n<details><summary>Environment and ceilings</summary><dl>";
  row("run", r.run.id + ", " + r.run.status + ", " + human(r.run.wall_s, "s"));
  std::string command;
  for (const std::string& part : r.run.command) {
    command += (command.empty() ? "" : " ") + part;
  }
  row("command", command);
  row("version", r.subject.version + ", " + r.subject.compiler);
  row("profiler", r.env.profiler_attached ? "attached" : "none");
  for (const auto& [key, value] : comparable_facts(r)) {
    row(key, value);
  }
  for (const auto& [key, value] : run_facts(r)) {
    row(key, value);
  }
  for (const Ceiling& c : r.ceilings) {
    row("ceiling " + c.id, human(c.value, c.unit) + ", " + c.method);
  }
  row("fingerprint", fingerprint(r));
  out << "</dl></details>\n";
}

// Cases that are not ok, worst first. Many for one reason stand behind their number.
std::string reason_table(const Report& r) {
  constexpr size_t kMany = 4;
  std::vector<std::vector<const Case*>> groups;
  std::map<std::pair<Status, std::string>, size_t> known;
  for (const Case* c : worst_first(r)) {
    if (c->status == Status::kOk) {
      continue;
    }
    const auto [at, added] = known.try_emplace({c->status, c->reason}, groups.size());
    if (added) {
      groups.emplace_back();
    }
    groups[at->second].push_back(c);
  }
  std::string rows;
  for (const std::vector<const Case*>& group : groups) {
    std::string why = std::string("<td class=\"text ") + name(group[0]->status) + "\">" +
                      name(group[0]->status) + "</td><td class=\"text wrap\">" +
                      html_text(group[0]->reason) + "</td></tr>";
    std::string cells;
    for (const Case* c : group) {
      cells += "<tr>" + id_cell(c->id) + (group.size() < kMany ? why : "</tr>");
    }
    rows += group.size() < kMany
                ? cells
                : "<tr><td class=\"id\"><details><summary>" + std::to_string(group.size()) +
                      " cases</summary><table>" + cells + "</table></details></td>" + why;
  }
  return rows.empty() ? ""
                      : "<div class=\"scroll\"><table><thead><tr><th>case</th><th class=\"text\">"
                        "status</th><th class=\"text\">why</th></tr></thead><tbody>" +
                            rows + "</tbody></table></div>\n";
}

void write_overview(std::ostream& out, const Page& page) {
  int64_t counts[4] = {}, golden = 0, golden_bad = 0;
  for (const Case& c : page.report.cases) {
    ++counts[static_cast<int>(c.status)];
    golden += c.kind == Kind::kGolden;
    golden_bad += c.kind == Kind::kGolden && c.status == Status::kFailed;
  }
  out << "<h2>Overview</h2>\n<div class=\"tiles\">"
      << tile(std::to_string(page.report.cases.size()), "cases", "");
  for (int s = 0; s < 4; ++s) {
    const char* css = counts[s] > 0 ? name(static_cast<Status>(s)) : "";
    out << tile(std::to_string(counts[s]), name(static_cast<Status>(s)), css);
  }
  if (golden > 0) {
    out << tile(golden_bad == 0 ? "pass" : "fail", "golden", golden_bad == 0 ? "ok" : "failed");
  }
  if (page.comparison) {
    const int code = page.comparison->exit_code();
    out << tile(code == 0                           ? "pass"
                : code == 1                         ? "worse"
                : page.comparison->refusals.empty() ? "inconclusive"
                                                    : "not comparable",
                "gate",
                code == 0   ? "ok"
                : code == 1 ? "worse"
                            : "inconclusive");
  }
  out << "</div>\n";
  out << reason_table(page.report);
}

void write_comparison(std::ostream& out, const Comparison& c) {
  out << "<h2>Against BASE</h2>\n<p>BASE " << html_text(c.base_commit.substr(0, 12)) << ", NEW "
      << html_text(c.new_commit.substr(0, 12)) << ", "
      << (c.interleaved ? "interleaved processes" : "cross-session") << "</p>\n";
  for (const std::string& why : c.refusals) {
    out << "<p class=\"inconclusive\">Not comparable: " << html_text(why) << "</p>\n";
  }
  for (const std::string& note : c.notes) {
    out << "<p class=\"muted\">" << html_text(note) << "</p>\n";
  }
  out << forest_plot(c);
  std::string rows;
  for (const CaseVerdict& v : c.cases) {
    if (v.verdict != Verdict::kSame && v.verdict != Verdict::kNotJudged) {
      rows += "<tr>" + id_cell(v.id) + "<td class=\"text " + name(v.verdict) + "\">" +
              name(v.verdict) + "</td><td class=\"text wrap\">" + html_text(v.explanation) +
              "</td></tr>";
    }
  }
  if (!rows.empty()) {
    out << "<div class=\"scroll\"><table><thead><tr><th>case</th><th class=\"text\">verdict</th>"
           "<th class=\"text\">why</th></tr></thead><tbody>"
        << rows << "</tbody></table></div>\n";
  }
}

std::string share_cell(const Case& c) {
  if (!c.ceiling) {
    return "<td data-v=\"-1\"></td>";
  }
  return "<td data-v=\"" + exact(c.ceiling->share) + "\" title=\"" + html_text(c.ceiling->ref) +
         "\"><span class=\"bar\"><i style=\"width:" +
         coordinate(100 * std::min(1.0, c.ceiling->share)) + "%\"></i></span>" +
         percent(c.ceiling->share) + "</td>";
}

// Registers, shared memory, spills, and what was launched.
std::string resource_cells(const Case& c) {
  if (!c.kernel) {
    return "<td></td><td></td><td></td><td></td>";
  }
  const auto cell = [](const std::optional<int64_t>& v) {
    return "<td>" + (v ? std::to_string(*v) : std::string()) + "</td>";
  };
  std::string launches;
  for (const KernelLaunch& l : c.kernel->launches) {
    launches += launches.empty() ? "" : "<br>";
    launches += html_text(l.kernel);
    if (l.threads && l.blocks) {
      launches += " " + std::to_string(*l.blocks) + " × " + std::to_string(*l.threads);
    }
  }
  return cell(c.kernel->registers) + cell(c.kernel->shared_bytes) + cell(c.kernel->spill_bytes) +
         "<td class=\"text\">" + launches + "</td>";
}

std::string case_row(const Case& c, bool resources) {
  std::string median = "<td data-v=\"-1\"></td>", spread = "<td></td><td></td><td></td>";
  if (!c.samples.empty()) {
    const Summary s = summarise(c.samples);
    const char* u = unit(c.metric);
    median = "<td data-v=\"" + exact(s.median) + "\">" + human(s.median, u) + "</td>";
    spread = "<td data-v=\"" + exact(s.mad) + "\">± " + human(s.mad, u) + "</td><td>" +
             human(s.ci95.first, u) + " to " + human(s.ci95.second, u) +
             "</td><td class=\"text\">" + strip_plot(c) + "</td>";
  }
  return "<tr>" + id_cell(c.id) + median + share_cell(c) + "<td class=\"text " + name(c.status) +
         "\">" + name(c.status) + "</td>" + spread + (resources ? resource_cells(c) : "") +
         "</tr>\n";
}

void write_table(std::ostream& out, const std::string& id, const std::vector<const Case*>& cases,
                 bool resources) {
  out << "<input data-table=\"" << id << "\" type=\"search\" placeholder=\"filter\" "
      << "aria-label=\"filter\">\n<div class=\"scroll\"><table id=\"" << id << "\"><thead><tr>";
  // What is looked for first stands first: of a narrow window the rest is beyond the edge.
  std::vector<std::string> heads = {"case", "median",        "of ceiling", "status",
                                    "MAD",  "95 % interval", "samples"};
  if (resources) {
    heads.insert(heads.end(), {"registers", "shared B", "spill B", "launches (blocks × threads)"});
  }
  for (const std::string& h : heads) {
    const bool text = h == "status" || h == "samples" || h.compare(0, 8, "launches") == 0;
    out << "<th data-sort=\"\"" << (text ? " class=\"text\"" : "") << ">" << h << "</th>";
  }
  out << "</tr></thead><tbody>\n";
  for (const Case* c : cases) {
    out << case_row(*c, resources);
  }
  out << "</tbody></table></div>\n";
}

void section(std::ostream& out, const char* title, const std::string& body) {
  if (!body.empty()) {
    out << "<h2>" << title << "</h2>\n" << body;
  }
}

std::string stage_table(const Report& r) {
  std::string rows;
  const auto share = [](const std::optional<double>& v) { return v ? percent(*v) : ""; };
  for (const Case& c : r.cases) {
    for (const Stage& s : c.stages) {
      rows += "<tr>" + id_cell(c.id) + "<td>" + std::to_string(s.stage) + "</td><td>" +
              html_text(s.device) + "</td><td>" + share(s.busy_share) + "</td><td>" +
              share(s.bubble_share) + "</td><td>" + (s.hop_s ? human(*s.hop_s, "s") : "") +
              "</td></tr>";
    }
  }
  return rows.empty() ? ""
                      : "<div class=\"scroll\"><table><thead><tr><th>case</th><th>stage</th><th>"
                        "device</th><th>busy</th><th>bubbles</th><th>hop</th></tr></thead><tbody>" +
                            rows + "</tbody></table></div>\n";
}

}  // namespace

void write_page(std::ostream& out, const Page& page) {
  const Report& r = page.report;
  write_head(out, r);
  write_origin(out, r);
  write_overview(out, page);
  if (page.comparison) {
    write_comparison(out, *page.comparison);
  }
  std::vector<const Case*> kernels, others;
  for (const Case& c : r.cases) {
    (c.kind == Kind::kKernel || c.kind == Kind::kPhase ? kernels : others).push_back(&c);
  }
  std::stable_sort(kernels.begin(), kernels.end(), [](const Case* a, const Case* b) {
    return (a->ceiling ? a->ceiling->share : 2) < (b->ceiling ? b->ceiling->share : 2);
  });
  if (!kernels.empty()) {
    out << "<h2>Kernels, furthest from their ceiling first</h2>\n";
    write_table(out, "kernels", kernels,
                std::any_of(kernels.begin(), kernels.end(),
                            [](const Case* c) { return c->kernel.has_value(); }));
  }
  section(out, "Roofline", roofline_plot(r));
  section(out, "Latency by percentile", percentile_plot(r));
  section(out, "Pipeline stages", stage_table(r));
  section(out, "Links", heat_map(r));
  section(out, "Golden: error by layer", golden_plots(r));
  section(out, "History", history_plots(page.history));
  if (!others.empty()) {
    out << "<h2>Other cases</h2>\n";
    write_table(out, "others", others, false);
  }
  out << "<script type=\"application/json\" id=\"report\">" << script_json(to_json(r))
      << "</script>\n<script nonce=\"ember\">\n"
      << kPageScript << "</script>\n</body></html>\n";
}

}  // namespace ember::report
