// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/device.h"

#include "kernels/base/error.h"

namespace ember {

std::vector<DeviceId> parse_devices(const std::string& text) {
  std::vector<DeviceId> devices;
  size_t begin = 0;
  while (begin <= text.size()) {
    size_t end = text.find(',', begin);
    if (end == std::string::npos) {
      end = text.size();
    }
    const std::string item = text.substr(begin, end - begin);
    if (item == "cpu") {
      devices.push_back({DeviceKind::kCpu, 0});
    } else if (!item.empty() && item.size() <= 4 &&
               item.find_first_not_of("0123456789") == std::string::npos) {
      devices.push_back({DeviceKind::kCuda, std::stoi(item)});
    } else {
      fail(ErrorKind::kUsage, "--devices ", text, ": expected a list such as 0,1 or cpu,cpu, got '",
           item, "'");
    }
    begin = end + 1;
  }
  return devices;
}

}  // namespace ember
