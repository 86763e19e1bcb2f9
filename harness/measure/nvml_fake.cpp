// SPDX-License-Identifier: Apache-2.0
// A library for tests, loaded in NVML's place: one GPU, on bus 0000:1b:00.0, with two links. What
// it cannot answer is as in NVML: a function that is missing, or a status other than 0.
#include <cstring>

namespace {

constexpr int kOk = 0, kInvalid = 2, kNotSupported = 3;
int gpu;

int give(unsigned* to, unsigned value) {
  *to = value;
  return kOk;
}

}  // namespace

extern "C" {

int nvmlInit_v2() {
  return kOk;
}
int nvmlShutdown() {
  return kOk;
}
int nvmlDeviceGetHandleByPciBusId_v2(const char* bus, void** handle) {
  *handle = &gpu;
  return std::strcmp(bus, "0000:1b:00.0") == 0 ? kOk : kInvalid;
}
int nvmlDeviceGetClockInfo(void*, unsigned type, unsigned* mhz) {
  return give(mhz, type == 1 ? 1755 : 2619);
}
int nvmlDeviceGetMaxClockInfo(void*, unsigned type, unsigned* mhz) {
  return give(mhz, type == 1 ? 1980 : 2619);
}
int nvmlDeviceGetApplicationsClock(void*, unsigned type, unsigned* mhz) {
  return type == 1 ? give(mhz, 1410) : kNotSupported;
}
int nvmlDeviceGetDefaultApplicationsClock(void*, unsigned type, unsigned* mhz) {
  return type == 1 ? give(mhz, 1095) : kNotSupported;
}
int nvmlDeviceGetTemperature(void*, unsigned sensor, unsigned* degrees) {
  return sensor == 0 ? give(degrees, 41) : kInvalid;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void*, unsigned long long* reasons) {
  *reasons = 0x4 | 0x40;
  return kOk;
}
int nvmlDeviceGetEnforcedPowerLimit(void*, unsigned* milliwatts) {
  return give(milliwatts, 650000);
}
int nvmlDeviceGetPowerManagementDefaultLimit(void*, unsigned* milliwatts) {
  return give(milliwatts, 700000);
}
int nvmlDeviceGetEccMode(void*, unsigned* now, unsigned* pending) {
  *pending = 0;
  return give(now, 1);
}
int nvmlDeviceGetMigMode(void*, unsigned*, unsigned*) {
  return kNotSupported;
}
int nvmlDeviceGetPersistenceMode(void*, unsigned* mode) {
  return give(mode, 1);
}
int nvmlDeviceGetCurrPcieLinkGeneration(void*, unsigned* generation) {
  return give(generation, 4);
}
int nvmlDeviceGetMaxPcieLinkGeneration(void*, unsigned* generation) {
  return give(generation, 5);
}
int nvmlDeviceGetCurrPcieLinkWidth(void*, unsigned* width) {
  return give(width, 16);
}
int nvmlDeviceGetComputeRunningProcesses_v3(void*, unsigned* count, void*) {
  *count = 3;
  return 7;  // more than there is room for
}
int nvmlSystemGetDriverVersion(char* text, unsigned bytes) {
  std::strncpy(text, "580.82.07", bytes);
  return kOk;
}
int nvmlDeviceGetNvLinkState(void*, unsigned link, unsigned* active) {
  return link < 3 ? give(active, link != 1) : kInvalid;
}
int nvmlDeviceGetNvLinkVersion(void*, unsigned, unsigned* version) {
  return give(version, 6);
}

}  // extern "C"
