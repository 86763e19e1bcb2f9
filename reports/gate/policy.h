// SPDX-License-Identifier: Apache-2.0
// What the gate demands. The defaults stand here; a policy file changes them, and whatever it makes
// easier to pass is printed with every verdict.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reports/report.h"

namespace ember::report {

struct Policy {
  double alpha = 0.01;            // chance of any false alarm in a whole comparison
  double first_look_share = 0.8;  // of alpha, where an extension may follow
  int64_t screen_processes = 5;   // fresh processes a side before anything is flagged
  int64_t confirm_processes = 9;  // further ones, for what was flagged
  int64_t extend_processes = 15;  // of these in all, once, for what is still undecided
  double screen_fraction = 0.75;  // of the threshold: a larger shift is flagged
  double noise_factor = 3;        // times the deviation between A's own processes
  double cross_session_factor = 2;
  double time_floor_s = 3e-7;  // differences of time below this do not count
  double bytes_floor = 0.005;  // sizes are deterministic: compared without a test
  // Least relative shift that counts, by kind, or by metric where one is named.
  std::map<std::string, double> floors = {{"kernel", 0.02}, {"p2p", 0.03},   {"e2e", 0.02},
                                          {"phase", 0.02},  {"check", 0.02}, {"golden", 0.02},
                                          {"ttft", 0.03}};
  double max_throttled_share = 0.05;
  double max_clock_spread = 0.05;  // (max - min) / median of the clocks of a case's processes
  bool allow_dirty = false;
  std::map<std::string, std::string> rename;  // id in BASE to id in NEW
  std::vector<std::string> ignore;            // ids; a * at the end stands for any rest

  double floor_of(const Case& c) const;
  bool ignores(const std::string& id) const;
};

// A JSON object with any of the fields above and "schema": "ember.policy/1". Throws Error{kUsage}.
Policy parse_policy(std::string_view text, const std::string& where);
Policy read_policy(const std::string& path);

// One line for each way in which `p` lets more pass than the defaults do.
std::vector<std::string> loosenings(const Policy& p);

}  // namespace ember::report
