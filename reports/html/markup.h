// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "reports/report.h"

namespace ember::report {

// Text for the inside of HTML and of its quoted attributes. Every string of a report goes through
// it: names and reasons are not ours.
std::string html_text(const std::string& text);

// A table cell with the id of a case, which may break after each slash.
std::string id_cell(const std::string& id);

// JSON for the inside of <script type="application/json">: nothing in it can end the element.
std::string script_json(const Json& j);

std::string coordinate(double v);  // one decimal; what is not finite becomes 0

// A linear or logarithmic scale from values to coordinates.
class Scale {
 public:
  Scale(double low, double high, double from, double to, bool log);
  double at(double v) const;
  std::vector<double> ticks() const;  // round values inside

 private:
  double low_, high_, from_, to_;
  bool log_;
};

std::string svg_open(double width, double height, const std::string& label);
std::string svg_line(double x1, double y1, double x2, double y2, const char* css);
// `anchor`: start, middle, end
std::string svg_text(double x, double y, const std::string& text, const char* anchor,
                     const char* css = "");
std::string svg_path(const std::vector<std::pair<double, double>>& points, const char* css);
// Grid, ticks and labels of a plot between the two scales.
std::string svg_axes(const Scale& x, const Scale& y, const std::string& x_unit,
                     const std::string& y_unit, double left, double right, double top,
                     double bottom);

}  // namespace ember::report
