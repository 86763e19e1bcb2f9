// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/case_choice.h"

#include <sstream>

#include "engine/io/mmap_file.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

std::regex expression(const std::string& text) {
  try {
    return std::regex(text);
  } catch (const std::regex_error&) {
    fail(ErrorKind::kUsage, "--filter: '", text, "' is not a regular expression");
  }
}

}  // namespace

CaseChoice::CaseChoice(const std::string& filter, const std::string& ids_file)
    : filter_(expression(filter)) {
  if (ids_file.empty()) {
    return;
  }
  std::istringstream lines{std::string(MappedFile::open(ids_file)->text())};
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) {
      ids_.insert(line);
    }
  }
  if (ids_.empty()) {
    fail(ErrorKind::kBadInput, ids_file, ": expected ids of cases, a line each, got none");
  }
  all_ = ids_.count("*") > 0;
}

bool CaseChoice::wants(const std::string& id) const {
  return std::regex_search(id, filter_) && (all_ || ids_.count(id) > 0);
}

}  // namespace ember
