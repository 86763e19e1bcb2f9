// SPDX-License-Identifier: Apache-2.0
// A profiler's place, for tests: loaded by NVTX from NVTX_INJECTION64_PATH, it writes a line for
// every push and pop of a range to the file that EMBER_NVTX_PROBE names:
//   push THREAD DOMAIN NAME PAYLOAD        pop THREAD DOMAIN
// THREAD counts from 0 in order of appearance; NAME has a "!" before it where the text was passed
// with the call and not registered.
#include <nvtx3/nvToolsExt.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace {

struct Probe {
  std::mutex mutex;
  std::deque<std::string> texts;  // of handles; their addresses are the handles
  std::map<std::thread::id, int> threads;
  std::FILE* out = nullptr;

  std::string* keep(const char* text) {
    const std::lock_guard<std::mutex> lock(mutex);
    texts.emplace_back(text);
    return &texts.back();
  }
  void line(const char* what, nvtxDomainHandle_t domain, const std::string& rest) {
    const std::lock_guard<std::mutex> lock(mutex);
    const int thread =
        threads.emplace(std::this_thread::get_id(), static_cast<int>(threads.size())).first->second;
    if (out != nullptr) {
      std::fprintf(out, "%s %d %s%s\n", what, thread,
                   reinterpret_cast<const std::string*>(domain)->c_str(), rest.c_str());
      std::fflush(out);
    }
  }
};

Probe& probe() {
  static Probe p;
  return p;
}

nvtxDomainHandle_t create(const char* name) {
  return reinterpret_cast<nvtxDomainHandle_t>(probe().keep(name));
}

nvtxStringHandle_t name_of(nvtxDomainHandle_t, const char* text) {
  return reinterpret_cast<nvtxStringHandle_t>(probe().keep(text));
}

int push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t* e) {
  std::string rest = " ";
  if (e->messageType == NVTX_MESSAGE_TYPE_REGISTERED) {
    rest += *reinterpret_cast<const std::string*>(e->message.registered);
  } else {
    rest += std::string("!") + (e->messageType == NVTX_MESSAGE_TYPE_ASCII ? e->message.ascii : "");
  }
  rest += e->payloadType == NVTX_PAYLOAD_TYPE_INT64 ? " " + std::to_string(e->payload.llValue)
                                                    : std::string(" none");
  probe().line("push", domain, rest);
  return 0;
}

int pop(nvtxDomainHandle_t domain) {
  probe().line("pop", domain, "");
  return 0;
}

template <class F>
void set(NvtxFunctionTable table, unsigned id, F* f) {
  *table[id] = reinterpret_cast<NvtxFunctionPointer>(f);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int InitializeInjectionNvtx2(
    NvtxGetExportTableFunc_t get_table) {
  const auto* callbacks =
      static_cast<const NvtxExportTableCallbacks*>(get_table(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable table = nullptr;
  unsigned size = 0;
  if (callbacks == nullptr ||
      callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size) == 0 ||
      size <= NVTX_CBID_CORE2_DomainCreateA) {
    return 0;
  }
  set(table, NVTX_CBID_CORE2_DomainCreateA, create);
  set(table, NVTX_CBID_CORE2_DomainRegisterStringA, name_of);
  set(table, NVTX_CBID_CORE2_DomainRangePushEx, push);
  set(table, NVTX_CBID_CORE2_DomainRangePop, pop);
  if (const char* path = std::getenv("EMBER_NVTX_PROBE")) {
    probe().out = std::fopen(path, "w");
  }
  return 1;
}
