// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"
#include "kernels/embed/embed.h"

namespace ember::k {

void validate(const EmbedParams& p) {
  const Arg y{"embed", "y", p.y}, ids{"embed", "ids", p.ids}, table{"embed", "table", p.table};
  require_dtype(ids, {DType::kI32});
  require_float(table);
  require_float(y);
  require_rank(ids, 1);
  require_rank(table, 2);
  require_range("embed", "V", p.table.shape[0], 1, INT32_MAX);
  require_range("embed", "D", p.table.shape[1], 1, INT32_MAX);
  require_shape(y, {p.ids.shape[0], p.table.shape[1]});
  require_same_device(y, ids);
  require_same_device(y, table);
  require_disjoint(y, table);
  require_disjoint(y, ids);
}

Cost cost(const EmbedParams& p) {
  const int64_t n = p.y.numel();
  return {p.ids.bytes() + n * dtype_bytes(p.table.dtype), n * dtype_bytes(p.y.dtype), 0};
}

void embed_cpu(const EmbedParams& p) {
  validate(p);
  require_cpu({"embed", "y", p.y});
  const int64_t T = p.ids.shape[0], V = p.table.shape[0], D = p.table.shape[1];
  const int32_t* ids = p.ids.as<int32_t>();
  for (int64_t t = 0; t < T; ++t) {
    if (ids[t] < 0 || ids[t] >= V) {
      fail(ErrorKind::kBadInput, "embed: ids[", t, "]: expected 0 to ", V - 1, ", got ", ids[t]);
    }
  }
  parallel_for(T, 64, [&](int64_t begin, int64_t end) {
    thread_local Scratch scratch;
    float* row = scratch.floats(D);
    for (int64_t t = begin; t < end; ++t) {
      if (p.y.dtype == p.table.dtype) {
        std::memcpy(row_ptr(p.y, t), row_ptr(p.table, ids[t]),
                    static_cast<size_t>(D * dtype_bytes(p.y.dtype)));
      } else {
        from_f32(f32_row(p.table, ids[t], row), p.y.dtype, row_ptr(p.y, t), D);
      }
    }
  });
}

}  // namespace ember::k
