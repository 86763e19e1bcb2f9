// SPDX-License-Identifier: Apache-2.0
#include "engine/core/version.h"

#include "ember_commit.h"
#include "kernels/base/device.h"

namespace ember {

Version version() {
  return {EMBER_VERSION,  EMBER_COMMIT,     EMBER_DIRTY != 0,
          EMBER_COMPILER, EMBER_BUILD_TYPE, built_with_cuda()};
}

std::string version_text() {
  const Version v = version();
  return "ember " + v.number + " (commit " + v.commit + (v.dirty ? ", modified" : "") + ")\n" +
         v.build + " build by " + v.compiler + ", " + (v.cuda ? "with" : "without") + " CUDA\n";
}

}  // namespace ember
