// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ember {

// Finds the first stop string in text that comes in pieces, and holds back what could still become
// one. The first to be complete wins; of two complete at the same byte, the longer. How the text is
// cut into pieces never changes the outcome.
class StopMatcher {
 public:
  // Throws Error{kUsage} for an empty stop string and for one that begins inside a character.
  explicit StopMatcher(const std::vector<std::string>& stops);

  // The text that may be shown now. Nothing follows a match; the stop string is never shown.
  std::string push(std::string_view text);
  // No more text comes: what was held back.
  std::string finish();
  bool stopped() const { return matched_ >= 0; }
  const std::string& matched() const { return stops_.at(static_cast<size_t>(matched_)); }

 private:
  size_t held_length() const;

  std::vector<std::string> stops_;
  std::string held_;
  int matched_ = -1;
};

}  // namespace ember
