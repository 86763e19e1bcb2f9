// SPDX-License-Identifier: Apache-2.0
// Of many cases the few that run the same code: for tools under which a kernel is a hundred times
// slower. Included by tests alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace ember::k::testing {

template <class Case, class Features>
std::set<std::string> all_features(const std::vector<Case>& cases, const Features& features) {
  std::set<std::string> all;
  for (const Case& c : cases) {
    const std::vector<std::string> more = features(c);
    all.insert(more.begin(), more.end());
  }
  return all;
}

// Of each feature that `features` (a case -> strings) names, the cheapest case that has it.
template <class Case, class Features, class Cost>
std::vector<Case> cheapest_of_each(const std::vector<Case>& all, const Features& features,
                                   const Cost& cost) {
  std::vector<const Case*> ascending;
  for (const Case& c : all) {
    ascending.push_back(&c);
  }
  std::stable_sort(ascending.begin(), ascending.end(),
                   [&](const Case* a, const Case* b) { return cost(*a) < cost(*b); });
  std::vector<Case> few;
  std::set<std::string> seen;
  for (const Case* c : ascending) {
    bool is_new = false;
    for (const std::string& feature : features(*c)) {
      is_new = seen.insert(feature).second || is_new;
    }
    if (is_new) {
      few.push_back(*c);
    }
  }
  return few;
}

// "1", "2", … or from `last` on "3+".
inline std::string up_to(int64_t count, int64_t last) {
  return count < last ? std::to_string(count) : std::to_string(last) + "+";
}

}  // namespace ember::k::testing
