// SPDX-License-Identifier: Apache-2.0
#include "reports/html/plots.h"

#include <algorithm>
#include <cmath>

#include "reports/format.h"
#include "reports/html/markup.h"
#include "reports/stats.h"

namespace ember::report {
namespace {

std::string plot(const std::string& svg) {
  return "<div class=\"scroll plot\">" + svg + "</svg></div>\n";
}

std::string titled(const std::string& text) {
  return "<title>" + html_text(text) + "</title>";
}

std::string circle(double x, double y, double r, const char* css, const std::string& title) {
  return "<circle cx=\"" + coordinate(x) + "\" cy=\"" + coordinate(y) + "\" r=\"" + coordinate(r) +
         "\" class=\"" + css + "\">" + titled(title) + "</circle>";
}

std::string shortened(const std::string& id, size_t most) {
  if (id.size() <= most) {
    return id;
  }
  size_t from = id.size() - most;
  while (from < id.size() && (static_cast<unsigned char>(id[from]) & 0xc0) == 0x80) {
    ++from;  // never inside a character
  }
  return "…" + id.substr(from);
}

}  // namespace

std::string strip_plot(const Case& c) {
  if (c.samples.empty()) {
    return "";
  }
  const Summary s = summarise(c.samples);
  const double height = 22, width = 170;
  const Scale x(s.min, s.max, 4, width - 4, false);
  std::string d;
  const size_t each = std::max<size_t>(1, 120 / c.samples.size());
  for (size_t i = 0; i < c.samples.size(); ++i) {
    const std::vector<double>& v = c.samples[i].values;
    const double y =
        4 + (height - 8) * (static_cast<double>(i) + 0.5) / static_cast<double>(c.samples.size());
    const size_t step = std::max<size_t>(1, (v.size() + each - 1) / each);
    for (size_t k = 0; k < v.size(); k += step) {
      d += "M" + coordinate(x.at(v[k])) + " " + coordinate(y) + "h0";
    }
  }
  return "<svg width=\"170\" height=\"22\" viewBox=\"0 0 170 22\" role=\"img\">" +
         titled(human(s.min, unit(c.metric)) + " to " + human(s.max, unit(c.metric)) + ", " +
                std::to_string(s.n) + " samples of " + std::to_string(s.processes) + " processes") +
         "<path class=\"dots\" d=\"" + d + "\"/>" +
         svg_line(x.at(s.median), 1, x.at(s.median), height - 1, "mid") + "</svg>";
}

std::string roofline_plot(const Report& r) {
  struct Point {
    const Case* c;
    double intensity, rate;
  };
  std::vector<Point> points;
  double roof = 0, slope = 0;
  const Ceiling *compute = nullptr, *memory = nullptr;
  for (const Ceiling& c : r.ceilings) {
    if (c.unit == "FLOP/s" && c.value > roof) {
      roof = c.value;
      compute = &c;
    } else if (c.unit == "B/s" && c.kind.compare(0, 3, "mem") == 0 && c.value > slope) {
      slope = c.value;
      memory = &c;
    }
  }
  for (const Case& c : r.cases) {
    const bool timed = std::string(unit(c.metric)) == "s" && !c.samples.empty();
    if (timed && c.work && c.work->bytes.value_or(0) > 0 && c.work->flops.value_or(0) > 0) {
      const double time = summarise(c.samples).median;
      if (time > 0) {
        points.push_back({&c, *c.work->flops / *c.work->bytes, *c.work->flops / time});
      }
    }
  }
  if (points.empty()) {
    return "";
  }
  double x_low = 1e300, x_high = 0, y_low = 1e300, y_high = roof;
  for (const Point& p : points) {
    x_low = std::min(x_low, p.intensity);
    x_high = std::max(x_high, p.intensity);
    y_low = std::min(y_low, p.rate);
    y_high = std::max(y_high, p.rate);
  }
  if (roof > 0 && slope > 0) {
    x_high = std::max(x_high, roof / slope);
  }
  const double left = 100, right = 880, top = 16, bottom = 360;
  const Scale x(x_low / 2, x_high * 3, left, right, true),
      y(y_low / 3, y_high * 2, bottom, top, true);
  std::string svg = svg_open(900, 410, "Roofline") +
                    svg_axes(x, y, "1", "FLOP/s", left, right, top, bottom) +
                    svg_text((left + right) / 2, 402, "FLOP per byte", "middle");
  if (roof > 0 && slope > 0) {
    const double knee = roof / slope;
    svg += svg_path({{x.at(x_low / 2), y.at(slope * x_low / 2)},
                     {x.at(knee), y.at(roof)},
                     {right, y.at(roof)}},
                    "roof") +
           svg_text(right - 4, y.at(roof) - 6,
                    compute->id + " " + human(roof, "FLOP/s") + ", " + memory->id + " " +
                        human(slope, "B/s"),
                    "end");
  }
  for (const Point& p : points) {
    svg +=
        circle(x.at(p.intensity), y.at(p.rate), 5, "dot",
               p.c->id + ": " + human(p.rate, "FLOP/s") + " at " + human(p.intensity, "1") +
                   " FLOP per byte" +
                   (p.c->ceiling ? ", " + percent(p.c->ceiling->share) + " of the ceiling" : ""));
  }
  return plot(svg);
}

std::string forest_plot(const Comparison& c) {
  std::vector<const CaseVerdict*> rows;
  double most = 0.01;
  for (const CaseVerdict& v : c.cases) {
    if (v.shift && v.verdict != Verdict::kNotJudged) {
      rows.push_back(&v);
      most = std::max({most, std::fabs(v.ci_low.value_or(*v.shift)),
                       std::fabs(v.ci_high.value_or(*v.shift)), v.threshold.value_or(0)});
    }
  }
  if (rows.empty()) {
    return "";
  }
  std::stable_sort(rows.begin(), rows.end(), [](const CaseVerdict* a, const CaseVerdict* b) {
    return std::fabs(*a->shift) > std::fabs(*b->shift);
  });
  const size_t shown = std::min<size_t>(rows.size(), 40);
  most = std::min(most * 1.1, 10.0);
  const double left = 330, right = 760, height = 40 + 22 * static_cast<double>(shown);
  const Scale x(-most, most, left, right, false);
  std::string svg = svg_open(900, height, "Shift of NEW against BASE");
  for (const double v : x.ticks()) {
    svg += svg_line(x.at(v), 8, x.at(v), height - 24, "grid") +
           svg_text(x.at(v), height - 8, percent(v), "middle");
  }
  for (size_t i = 0; i < shown; ++i) {
    const CaseVerdict& v = *rows[i];
    const double at = 22 + 22 * static_cast<double>(i), t = v.threshold.value_or(0);
    const std::string css = std::string("b-") + name(v.verdict);
    svg += "<rect class=\"zone\" x=\"" + coordinate(x.at(-t)) + "\" y=\"" + coordinate(at - 8) +
           "\" width=\"" + coordinate(x.at(t) - x.at(-t)) + "\" height=\"16\"/>";
    svg += svg_text(left - 8, at + 4, shortened(v.id, 44), "end", "name");
    if (v.ci_low && v.ci_high) {
      svg += svg_line(x.at(*v.ci_low), at, x.at(*v.ci_high), at, css.c_str());
    }
    svg += circle(x.at(*v.shift), at, 4.5, css.c_str(), v.id + ": " + v.explanation) +
           svg_text(right + 8, at + 4, percent(*v.shift, 2) + " " + name(v.verdict), "start");
  }
  svg += svg_line(x.at(0), 8, x.at(0), height - 24, "axis");
  return "<p class=\"muted\">Circles: shift, above 0 where NEW's value is larger; lines: 95 % "
         "interval of the confirming processes; band: what does not count. " +
         (shown < rows.size()
              ? "The " + std::to_string(shown) + " largest of " + std::to_string(rows.size()) + "."
              : std::string()) +
         "</p>\n" + plot(svg);
}

std::string percentile_plot(const Report& r) {
  std::string rows;
  for (const Case& c : r.cases) {
    if (c.kind != Kind::kE2e || std::string(unit(c.metric)) != "s" || c.samples.empty()) {
      continue;
    }
    std::vector<double> all;
    for (const Samples& s : c.samples) {
      all.insert(all.end(), s.values.begin(), s.values.end());
    }
    std::sort(all.begin(), all.end());
    const Scale y(all.front(), all.back(), 38, 4, false);
    std::vector<std::pair<double, double>> curve;
    for (int q = 0; q <= 100; q += 2) {
      curve.emplace_back(2 + 2.36 * q, y.at(quantile(all, q / 100.0)));
    }
    rows += "<tr>" + id_cell(c.id);
    for (const double q : {0.5, 0.9, 0.99, 1.0}) {
      rows += "<td>" + human(quantile(all, q), "s") + "</td>";
    }
    rows +=
        "<td class=\"text\"><svg width=\"240\" height=\"44\" viewBox=\"0 0 240 44\" role=\"img\">" +
        titled("least to largest value by percentile, 0 to 100") +
        svg_line(2, 41, 238, 41, "axis") + svg_path(curve, "line") + "</svg></td></tr>";
  }
  return rows.empty()
             ? ""
             : "<div class=\"scroll\"><table><thead><tr><th>case</th><th>p50</th><th>p90"
               "</th><th>p99</th><th>max</th><th class=\"text\">by percentile</th></tr></thead>"
               "<tbody>" +
                   rows + "</tbody></table></div>\n";
}

std::string golden_plots(const Report& r) {
  std::string out;
  for (const Case& c : r.cases) {
    if (!c.golden || c.golden->layers.empty()) {
      continue;
    }
    const std::vector<LayerError>& layers = c.golden->layers;
    double low = 1e300, high = 0;
    for (const LayerError& l : layers) {
      for (const double v : {l.error, l.limit.value_or(l.error)}) {
        low = v > 0 ? std::min(low, v) : low;
        high = std::max(high, v);
      }
    }
    if (high <= 0) {
      continue;
    }
    const double left = 80, right = 880, top = 16, bottom = 240;
    const Scale y(low / 1.5, high * 1.5, bottom, top, true);
    const double step = (right - left) / static_cast<double>(layers.size());
    std::vector<std::pair<double, double>> errors, limits;
    std::string dots, names;
    for (size_t i = 0; i < layers.size(); ++i) {
      const double x = left + step * (static_cast<double>(i) + 0.5);
      const LayerError& l = layers[i];
      const std::string where = "layer " + std::to_string(l.layer) + " " + l.tap;
      errors.emplace_back(x, y.at(l.error));
      if (l.limit) {
        limits.emplace_back(x, y.at(*l.limit));
      }
      const bool bad = l.limit && l.error > *l.limit;
      dots += circle(
          x, y.at(l.error), 4, bad ? "b-worse" : "dot",
          where + ": " + human(l.error, "1") + (l.limit ? ", limit " + human(*l.limit, "1") : ""));
      if (i % std::max<size_t>(1, layers.size() / 12) == 0) {
        names += svg_text(x, bottom + 16, std::to_string(l.layer), "middle");
      }
    }
    std::string axes;
    for (const double v : y.ticks()) {
      axes += svg_line(left, y.at(v), right, y.at(v), "grid") +
              svg_text(left - 6, y.at(v) + 4, human(v, "1"), "end");
    }
    out += "<h3>" + html_text(c.id) + " <span class=\"" + (c.golden->pass ? "ok" : "failed") +
           "\">" + (c.golden->pass ? "passes" : "fails") + "</span></h3>\n<p class=\"muted\">" +
           (c.golden->first_bad ? "First bad: " + html_text(*c.golden->first_bad) + ". "
                                : std::string()) +
           "Error by layer; dashed: limit.</p>\n" +
           plot(svg_open(900, 270, "Error by layer") + axes + names +
                svg_line(left, bottom, right, bottom, "axis") + svg_path(limits, "limit") +
                svg_path(errors, "line") + dots);
  }
  return out;
}

std::string history_plots(const std::vector<HistoryEntry>& entries) {
  std::map<std::string, std::vector<std::pair<const HistoryEntry*, HistoryPoint>>> by_case;
  for (const HistoryEntry& e : entries) {
    for (const auto& [id, p] : e.cases) {
      by_case[id].emplace_back(&e, p);
    }
  }
  std::string out;
  size_t shown = 0;
  for (const auto& [id, points] : by_case) {
    if (points.size() < 2 || shown == 60) {
      continue;
    }
    ++shown;
    double low = 1e300, high = -1e300;
    for (const auto& [e, p] : points) {
      low = std::min(low, p.median - p.mad);
      high = std::max(high, p.median + p.mad);
    }
    const Scale x(0, static_cast<double>(points.size() - 1), 74, 350, false);
    const Scale y(low, high, 110, 12, false);
    const std::string u = unit(points[0].second.metric);
    std::string dots;
    std::vector<std::vector<std::pair<double, double>>> lines;
    std::string machine;
    for (size_t i = 0; i < points.size(); ++i) {
      const auto& [e, p] = points[i];
      const double at = x.at(static_cast<double>(i));
      if (lines.empty() || machine != e->fingerprint) {
        lines.emplace_back();  // no line joins two machines
      }
      machine = e->fingerprint;
      lines.back().emplace_back(at, y.at(p.median));
      dots += svg_line(at, y.at(p.median - p.mad), at, y.at(p.median + p.mad), "axis") +
              circle(at, y.at(p.median), 3.5, "dot",
                     e->started + " " + e->commit.substr(0, 12) + ": " + human(p.median, u));
    }
    std::string svg = svg_open(360, 124, "History of " + id);
    for (const double v : {low, high}) {
      svg += svg_text(68, y.at(v) + 4, human(v, u), "end");
    }
    for (const auto& line : lines) {
      svg += svg_path(line, "line");
    }
    out += "<div><h3>" + html_text(id) + "</h3>" + plot(svg + dots) + "</div>\n";
  }
  return out.empty() ? "" : "<div class=\"small\">\n" + out + "</div>\n";
}

}  // namespace ember::report
