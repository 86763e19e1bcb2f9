// SPDX-License-Identifier: Apache-2.0
// What a program outside this repository writes: load a model, read a prompt, continue it greedily.
//   consumer MODEL PROMPT N    prints the N ids that follow the prompt, one a line
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/version.h"
#include "engine/model/weight_source.h"
#include "engine/runtime/runtime.h"
#include "engine/text/tokenizer.h"

namespace {

int run(const std::string& model, const std::string& prompt, int n) {
  ember::RuntimeOptions options;
  options.devices = {ember::DeviceId{}};  // the CPU
  options.context = 128;
  const auto runtime = ember::make_runtime(ember::open_weights(model), options);
  const auto tokenizer = ember::Tokenizer::load(model + "/tokenizer.json");
  const auto session = runtime->new_session(options.context);

  const std::vector<int32_t> ids = tokenizer->encode(prompt);
  ember::TensorView logits =
      runtime->prefill(*session, ids.data(), static_cast<int64_t>(ids.size()));
  for (int i = 0; i < n; ++i) {
    const auto* row = static_cast<const float*>(logits.data);
    const auto next =
        static_cast<int32_t>(std::max_element(row, row + runtime->config().shape.V) - row);
    std::printf("%d\n", next);
    logits = runtime->decode(*session, next);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: consumer MODEL PROMPT N\n");
    return 2;
  }
  try {
    std::fprintf(stderr, "%s", ember::version_text().c_str());
    return run(argv[1], argv[2], std::atoi(argv[3]));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "consumer: %s\n", e.what());
    return 1;
  }
}
