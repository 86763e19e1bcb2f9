// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace ember {

// Decode steps [start, start + count), counted from 0, that a profiler records which was told to
// wait for the program (nsys -c cudaProfilerApi, ncu --profile-from-start off).
struct ProfileSteps {
  int64_t start = 0;
  int64_t count = 0;  // 0: no window

  // "START:COUNT", START from 0, COUNT from 1, both below 2^31; throws Error{kUsage} for anything
  // else.
  static ProfileSteps parse(const std::string& text);
};

// Opens and closes the window while a text is generated; what is open closes at the latest with
// the object.
class ProfileWindow {
 public:
  explicit ProfileWindow(const ProfileSteps& steps) : steps_(steps) {}
  ~ProfileWindow();
  ProfileWindow(const ProfileWindow&) = delete;
  ProfileWindow& operator=(const ProfileWindow&) = delete;

  // Before decode step `step`, counted from 0; the device is then idle.
  void before(int64_t step);

 private:
  ProfileSteps steps_;
  bool open_ = false, done_ = false;
};

}  // namespace ember
