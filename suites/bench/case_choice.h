// SPDX-License-Identifier: Apache-2.0
// Which cases a bench measures: --filter and --ids.
#pragma once

#include <regex>
#include <set>
#include <string>

namespace ember {

class CaseChoice {
 public:
  // `filter`: a regular expression that an id must match somewhere; empty: all. `ids_file`: a file
  // of ids, a line each, as `ember report ab` writes it; a line "*" stands for all; empty: all.
  // Throws Error{kUsage} for an expression that is none, Error{kBadInput} for a file that cannot be
  // read or names nothing.
  CaseChoice(const std::string& filter, const std::string& ids_file);

  bool wants(const std::string& id) const;

 private:
  std::regex filter_;
  bool all_ = true;
  std::set<std::string> ids_;
};

}  // namespace ember
