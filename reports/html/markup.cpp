// SPDX-License-Identifier: Apache-2.0
#include "reports/html/markup.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "reports/format.h"

namespace ember::report {

std::string html_text(const std::string& text) {
  std::string out;
  for (const char ch : text) {
    switch (ch) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += static_cast<unsigned char>(ch) < 0x20 && ch != '\n' && ch != '\t' ? ' ' : ch;
    }
  }
  return out;
}

std::string id_cell(const std::string& id) {
  std::string out = "<td class=\"id\">";
  size_t from = 0;
  for (size_t at = id.find('/'); at != std::string::npos; at = id.find('/', from)) {
    out += html_text(id.substr(from, at + 1 - from)) + "<wbr>";
    from = at + 1;
  }
  return out + html_text(id.substr(from)) + "</td>";
}

std::string script_json(const Json& j) {
  std::string out;
  for (const char ch : j.dump(-1, ' ', true, Json::error_handler_t::replace)) {
    if (ch == '<' || ch == '>' || ch == '&') {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(ch));
      out += code;
    } else {
      out += ch;
    }
  }
  return out;
}

std::string coordinate(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", std::isfinite(v) ? std::clamp(v, -1e6, 1e6) : 0);
  return text;
}

Scale::Scale(double low, double high, double from, double to, bool log)
    : low_(low), high_(high), from_(from), to_(to), log_(log) {
  if (log_) {
    low_ = std::log10(std::max(low, 1e-300));
    high_ = std::log10(std::max(high, 1e-300));
  }
  if (!(high_ > low_)) {
    const double around = log_ ? 0.5 : std::max(std::fabs(low_) * 0.01, 1e-12);
    low_ -= around;
    high_ += around;
  }
}

double Scale::at(double v) const {
  const double x = log_ ? std::log10(std::max(v, 1e-300)) : v;
  return from_ + (x - low_) / (high_ - low_) * (to_ - from_);
}

std::vector<double> Scale::ticks() const {
  std::vector<double> out;
  if (log_) {
    const double step = std::max(1.0, std::ceil((high_ - low_) / 8));
    for (double e = std::floor(low_); e <= high_ + 1e-9; e += step) {
      for (const double digit : {1.0, 2.0, 5.0}) {  // below two decades also 2 and 5
        const double at = e + std::log10(digit);
        const bool wanted = digit == 1 || high_ - low_ < 2;
        if (wanted && at >= low_ - 1e-9 && at <= high_ + 1e-9) {
          out.push_back(std::pow(10, at));
        }
      }
    }
    return out;
  }
  const double rough = (high_ - low_) / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double nice : {1.0, 2.0, 5.0}) {
    if (nice * power >= rough) {
      step = nice * power;
      break;
    }
  }
  for (int i = 0; i <= 12; ++i) {
    const double v = (std::ceil(low_ / step - 1e-9) + i) * step;
    if (v > high_ + step * 1e-9) {
      break;
    }
    out.push_back(v);
  }
  return out;
}

std::string svg_open(double width, double height, const std::string& label) {
  return "<svg viewBox=\"0 0 " + coordinate(width) + " " + coordinate(height) +
         "\" role=\"img\" aria-label=\"" + html_text(label) + "\">";
}

std::string svg_line(double x1, double y1, double x2, double y2, const char* css) {
  return "<line x1=\"" + coordinate(x1) + "\" y1=\"" + coordinate(y1) + "\" x2=\"" +
         coordinate(x2) + "\" y2=\"" + coordinate(y2) + "\" class=\"" + css + "\"/>";
}

std::string svg_text(double x, double y, const std::string& text, const char* anchor,
                     const char* css) {
  return "<text x=\"" + coordinate(x) + "\" y=\"" + coordinate(y) + "\" text-anchor=\"" + anchor +
         "\" class=\"" + css + "\">" + html_text(text) + "</text>";
}

std::string svg_path(const std::vector<std::pair<double, double>>& points, const char* css) {
  std::string d;
  for (const auto& [x, y] : points) {
    d += (d.empty() ? "M" : "L") + coordinate(x) + " " + coordinate(y);
  }
  return "<path class=\"" + std::string(css) + "\" d=\"" + d + "\"/>";
}

std::string svg_axes(const Scale& x, const Scale& y, const std::string& x_unit,
                     const std::string& y_unit, double left, double right, double top,
                     double bottom) {
  std::string out;
  for (const double v : x.ticks()) {
    out += svg_line(x.at(v), top, x.at(v), bottom, "grid") +
           svg_text(x.at(v), bottom + 16, human(v, x_unit), "middle");
  }
  for (const double v : y.ticks()) {
    out += svg_line(left, y.at(v), right, y.at(v), "grid") +
           svg_text(left - 6, y.at(v) + 4, human(v, y_unit), "end");
  }
  return out + svg_line(left, bottom, right, bottom, "axis") +
         svg_line(left, top, left, bottom, "axis");
}

}  // namespace ember::report
