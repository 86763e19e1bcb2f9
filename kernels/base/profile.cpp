// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/profile.h"

#ifdef EMBER_WITH_NVTX
#include <nvtx3/nvToolsExt.h>
#endif

namespace ember::profile {

#ifdef EMBER_WITH_NVTX
namespace {

constexpr const char* kNames[] = {
#define X(id, name, payload) name,
    EMBER_RANGES(X)
#undef X
};
constexpr int kCount = sizeof kNames / sizeof kNames[0];

// Made once: a range then passes handles, and no text.
struct Registry {
  nvtxDomainHandle_t domain;
  nvtxStringHandle_t names[kCount] = {};

  Registry() : domain(nvtxDomainCreateA("ember")) {
    for (int i = 0; domain != nullptr && i < kCount; ++i) {
      names[i] = nvtxDomainRegisterStringA(domain, kNames[i]);
    }
  }
};

const Registry& registry() {
  static const Registry kRegistry;
  return kRegistry;
}

}  // namespace

void* domain() {
  return registry().domain;
}

void push(RangeKind kind, int64_t payload) {
  const Registry& r = registry();
  nvtxEventAttributes_t event{};
  event.version = NVTX_VERSION;
  event.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
  event.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
  event.message.registered = r.names[static_cast<int>(kind)];
  event.payloadType = NVTX_PAYLOAD_TYPE_INT64;
  event.payload.llValue = payload;
  nvtxDomainRangePushEx(r.domain, &event);
}

void pop() {
  nvtxDomainRangePop(registry().domain);
}

#else

void* domain() {
  return nullptr;
}
void push(RangeKind, int64_t) {}
void pop() {}

#endif

}  // namespace ember::profile
