// SPDX-License-Identifier: Apache-2.0
// Limited by latency: the logits lie in L2, so each pass over them takes little more than a launch,
// and the end of a launch is the cheapest barrier there is.
//   summary  of each tile of 1024 logits: the largest, the smallest, anything that is no number
//   greedy   a block a row: the choice from the summaries, which ends a greedy row
//   bins     tokens weighed, and counts and weights summed over 2048 equal intervals of values;
//            with top-k only those that can be among the k, and these are listed as well
//   gather   the tokens of the bins in which a filter or the draw may end; none if few were listed
//   finish   a block a row: each filter, then the draw, is a search in the sorted list
// Weights are integers, so atomic additions give the same sums in any order, and a sorted list has
// one order.
#include "kernels/sample/sample_bins.cuh"
#include "kernels/sample/sample_finish.cuh"
#include "kernels/sample/sample_gather.cuh"

namespace ember::k {

using namespace sampling;

void sample_cuda(const SampleParams& p, Stream stream) {
  validate(p);
  require_cuda("sample", "id", p.id);
  const cuda::DeviceGuard guard(p.id.device);
  const int64_t V = p.x.shape[1], B = p.rows();
  Operands o{};
  o.x = static_cast<const float*>(p.x.data);
  o.stride = p.x.row_stride;
  o.V = dev::narrow("sample", V);
  o.pos = dev::narrow("sample", p.pos);
  o.pos_device = p.pos_device;
  o.settings = static_cast<const SampleSettings*>(p.settings.data);
  o.greedy = p.greedy;
  o.id = static_cast<int32_t*>(p.id.data);
  o.advance = p.advance;
  if (p.advance && p.ring.data != nullptr) {
    o.ring = static_cast<int32_t*>(p.ring.data);
    o.slots = static_cast<unsigned>(p.ring.shape.last());
  }
  o.work_bytes = sample_scratch_bytes(V);
  o.work = cuda::scratch(p.id.device.index, stream, cuda::ScratchUser::kSample,
                         sample_scratch_bytes(V, B));
  const auto tiles = static_cast<unsigned>(dev::ceil_div(V, kTile));
  const dim3 all(tiles, static_cast<unsigned>(B)), rows(1, static_cast<unsigned>(B));
  const bool greedy = p.all_greedy();
  dev::launch("sample", stream, sample_summary_kernel, all, dim3(kThreads), 0, o, !greedy);
  if (greedy) {
    dev::launch("sample", stream, sample_greedy_kernel, rows, dim3(kThreads), 0, o,
                static_cast<int>(tiles));
    return;
  }
  dev::launch("sample", stream, sample_bins_kernel, all, dim3(kThreads), 0, o);
  dev::launch("sample", stream, sample_gather_kernel, all, dim3(kThreads), 0, o);
  dev::launch("sample", stream, sample_finish_kernel, rows, dim3(kFinishThreads), 0, o);
}

}  // namespace ember::k
