// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/device.h"

namespace ember {

// One pipeline stage: consecutive layers on one device.
struct StageMap {
  DeviceId device;
  int64_t first_layer = 0;
  int64_t layers = 0;
  bool first = false;  // holds the embedding
  bool last = false;   // holds the final norm and the head
};

// Bytes of the parts that a stage may hold.
struct PartBytes {
  int64_t embedding = 0;
  std::vector<int64_t> layers;
  int64_t head = 0;  // final norm and head; a tied head counts where it is streamed, on the last
  int64_t final_norm = 0;  // a part of `head`, and all of it where the head is the embedding
};

struct DeviceMap {
  std::vector<StageMap> stages;

  // Cuts the layers into one run a device so that the fullest device, as a share of its
  // `available` bytes, is as empty as can be. A device named several times shares its bytes.
  // Throws Error{kUsage} when there are more devices than layers.
  static DeviceMap balance(const PartBytes& parts, const std::vector<DeviceId>& devices,
                           const std::vector<int64_t>& available);
  // The given number of layers a stage; throws Error{kUsage} unless they are positive, one a
  // device, and add up.
  static DeviceMap explicit_split(int64_t layers, const std::vector<DeviceId>& devices,
                                  const std::vector<int64_t>& split);

  // Each device once, in the order of its first stage.
  std::vector<DeviceId> devices() const;
  // "stage 0: cpu, layers 0-13, embedding; stage 1: …"
  std::string str() const;
};

}  // namespace ember
