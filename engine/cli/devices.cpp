// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/cli/command.h"
#include "engine/core/cpu_info.h"
#include "kernels/base/device.h"
#include "kernels/common/isa.h"
#include "kernels/linear/blas_info.h"

namespace ember {
namespace {

using Json = nlohmann::ordered_json;

std::string cuda_version(int v) {
  return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10);
}

double gib(long long bytes) {
  return static_cast<double>(bytes) / (1024.0 * 1024.0 * 1024.0);
}

Json cpu_json(const CpuInfo& c) {
  return {{"id", "cpu"},
          {"name", c.name},
          {"cores", c.logical_cores},
          {"threads", c.threads},
          {"memory_bytes", c.total_bytes},
          {"memory_available_bytes", c.available_bytes},
          {"isa", c.isa},
          {"kernels", k::name(k::cpu_isa())},
          {"blas", k::blas_info()}};
}

Json cuda_json(const CudaDeviceInfo& d) {
  return {{"id", std::to_string(d.index)},
          {"name", d.name},
          {"uuid", d.uuid},
          {"pci_bus_id", d.pci_bus_id},
          {"compute_capability", std::to_string(d.cc_major) + "." + std::to_string(d.cc_minor)},
          {"sms", d.sm_count},
          {"memory_bytes", d.total_bytes},
          {"memory_free_bytes", d.free_bytes},
          {"l2_bytes", d.l2_bytes},
          {"driver_cuda", cuda_version(d.driver_version)},
          {"runtime_cuda", cuda_version(d.runtime_version)}};
}

int print_json(const CpuInfo& cpu, const std::vector<CudaDeviceInfo>& gpus,
               const std::string& why) {
  Json out;
  out["cpu"] = cpu_json(cpu);
  out["cuda"] = Json::array();
  for (const CudaDeviceInfo& d : gpus) {
    out["cuda"].push_back(cuda_json(d));
  }
  out["cuda_built"] = built_with_cuda();
  out["cuda_reason"] = gpus.empty() ? Json(why) : Json(nullptr);
  std::printf("%s\n", out.dump(2).c_str());
  return 0;
}

int print_table(const CpuInfo& cpu, const std::vector<CudaDeviceInfo>& gpus,
                const std::string& why) {
  std::printf("cpu  %s\n     %d cores, %d threads used, %.1f of %.1f GiB memory available\n",
              cpu.name.c_str(), cpu.logical_cores, cpu.threads, gib(cpu.available_bytes),
              gib(cpu.total_bytes));
  std::printf("     instructions: %s; kernels: %s\n     %s\n", cpu.isa.c_str(),
              k::name(k::cpu_isa()), k::blas_info().c_str());
  for (const CudaDeviceInfo& d : gpus) {
    std::printf("%-4d %s\n     sm_%d%d, %d SMs, %.1f of %.1f GiB free, L2 %.0f MiB, PCI %s, %s\n",
                d.index, d.name.c_str(), d.cc_major, d.cc_minor, d.sm_count, gib(d.free_bytes),
                gib(d.total_bytes), gib(d.l2_bytes) * 1024.0, d.pci_bus_id.c_str(), d.uuid.c_str());
  }
  if (gpus.empty()) {
    std::printf("no CUDA device: %s\n", why.c_str());
  }
  return 0;
}

}  // namespace

CommandFn add_devices(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  app.add_flag("--json", *json, "print JSON");
  return [json] {
    std::string why;
    const std::vector<CudaDeviceInfo> gpus = cuda_devices(&why);
    const CpuInfo cpu = cpu_info();
    return *json ? print_json(cpu, gpus, why) : print_table(cpu, gpus, why);
  };
}

}  // namespace ember
