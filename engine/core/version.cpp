// SPDX-License-Identifier: Apache-2.0
#include "engine/core/version.h"

#include <iterator>
#include <sstream>

#include "ember_commit.h"
#include "kernels/base/device.h"

namespace ember {
namespace {

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

}  // namespace

Version version() {
  return {EMBER_VERSION,       EMBER_COMMIT,           EMBER_DIRTY != 0,
          EMBER_COMPILER,      EMBER_BUILD_TYPE,       built_with_cuda(),
          EMBER_CUDA_COMPILER, words(EMBER_CUDA_ARCH), words(EMBER_SANITIZERS)};
}

std::string version_text() {
  const Version v = version();
  return "ember " + v.number + " (commit " + v.commit + (v.dirty ? ", modified" : "") + ")\n" +
         v.build + " build by " + v.compiler + ", " + (v.cuda ? "with" : "without") + " CUDA\n";
}

}  // namespace ember
