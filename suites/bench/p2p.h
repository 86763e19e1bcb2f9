// SPDX-License-Identifier: Apache-2.0
// Every way of bytes between host and devices and among devices: verified, then timed at sizes
// from a few hundred bytes to a gibibyte, with latency and bandwidth by a fit; and the hop of the
// pipeline at the sizes of its messages, peer against staged.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/backend/hop.h"
#include "harness/measure/link.h"
#include "harness/measure/link_rate.h"
#include "reports/report.h"

namespace ember {

struct P2pOptions {
  int64_t min_bytes = 256, max_bytes = int64_t{1} << 30;  // sizes are four times each other
  std::vector<int64_t> hidden = {4096};                   // D of the hop's messages
  std::vector<int64_t> tokens = {1, 512, 2048};           // T of them
  bool copy_engine = true, kernels = true;
  bool one_way = true, both_ways = true;
  bool links = true, hops = true;
  MeasureOptions measure;
};

// Ways at every size; `skip` says why there is nothing to measure.
struct P2pSeries {
  LinkWay way;
  std::string path;  // pinned, pageable, peer, local
  std::string skip;
};

// One boundary between stages.
struct P2pHop {
  DeviceId from, to;
  HopPath path = HopPath::kAuto;
  std::string name;  // peer, staged, local, host
  std::string skip;
};

// Loads one after the other by `by` of memory at `from`.
struct P2pLoads {
  Place from;
  DeviceId by;
  std::string path;  // local, pinned, peer
  std::string skip;
};

// Why two devices cannot copy to each other; empty when they can.
using WhyNoPeer = std::function<std::string(int device, int peer)>;

// What there is to measure between the host and `devices` (each once, CUDA or CPU) and among
// them. Where there is no GPU, or only one, the plan still has a skipped row for what is missing.
std::vector<P2pSeries> plan_links(const std::vector<DeviceId>& devices, const P2pOptions& options,
                                  const WhyNoPeer& why_no_peer);
std::vector<P2pLoads> plan_loads(const std::vector<DeviceId>& devices,
                                 const WhyNoPeer& why_no_peer);
std::vector<P2pHop> plan_hops(const std::vector<DeviceId>& devices, const WhyNoPeer& why_no_peer);

// min, 4 min, … up to max; max itself is always the last.
std::vector<int64_t> p2p_sizes(const P2pOptions& options);

// Appends the cases p2p/copy for every size, p2p/latency, p2p/rate and p2p/fit_error for every
// series, p2p/load, p2p/hop, and the nominal rates of the links as ceilings. Bytes that arrive
// wrong fail their case.
void bench_p2p(const std::vector<DeviceId>& devices, const P2pOptions& options,
               report::Report* out);

// One way's time in seconds of `hop` with messages of T x D, by the pipeline's own code. Sets
// `wrong` where a message arrived changed.
Measurement measure_hop(const P2pHop& hop, int64_t tokens, int64_t hidden,
                        const MeasureOptions& options, std::string* wrong);

}  // namespace ember
