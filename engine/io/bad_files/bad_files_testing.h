// SPDX-License-Identifier: Apache-2.0
// What a test asks of whoever reads a bad file. Included by *_test.cpp alone.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "engine/io/bad_files/bad_files.h"
#include "kernels/base/error.h"

namespace ember {

inline void expect_message(const BadFile& bad, const std::string& message) {
  for (const std::string& part : bad.message) {
    EXPECT_NE(message.find(part), std::string::npos)
        << bad.name << ": expected '" << part << "' in: " << message;
  }
}

// Whether load(path of the spoiled directory) throws; then it must be kBadInput and say why.
template <class Load>
bool refuses(const BadFile& bad, const Load& load) {
  const TemporaryDirectory dir;
  write_good_model(dir.path(), bad.sharded);
  bad.spoil(dir.path());
  try {
    load(dir.path());
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kBadInput) << bad.name << ": " << e.what();
    expect_message(bad, e.what());
    return true;
  }
  return false;
}

}  // namespace ember
