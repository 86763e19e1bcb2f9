// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/device_testing.h"
#include "kernels/random_weights/random_weights.h"

namespace ember::k::testing {
namespace {

const std::vector<TensorView*> operands(RandomWeightsParams& p) {
  return {&p.y};
}

TEST(RandomWeightsCuda, EqualsTheCpuToTheBit) {
  EMBER_NEEDS_CUDA();
  for (DType t : kFloatDTypes) {
    for (RandomKind kind : {RandomKind::kMatrix, RandomKind::kGain}) {
      for (int64_t n : {0, 1, 7, 8, 9, 4096, 1000003}) {
        for (int64_t first : {int64_t{0}, int64_t{13}, int64_t{1} << 40}) {
          const uint64_t stream = random_weights_stream(7, "model.layers.3.mlp.up_proj.weight");
          const TestTensor want(t, {n}), got(t, {n});
          random_weights_cpu({want, stream, kind, first});
          run_on_device(random_weights_cuda, {got, stream, kind, first}, operands);
          EXPECT_TRUE(got.same_bytes(want)) << dtype_name(t) << " " << n << " from " << first;
        }
      }
    }
  }
}

TEST(RandomWeightsCuda, HostMemoryIsRefused) {
  const TestTensor y(DType::kF32, {8});
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "random_weights", [&] {
    random_weights_cuda({y, 1}, {});
  }));
}

}  // namespace
}  // namespace ember::k::testing
