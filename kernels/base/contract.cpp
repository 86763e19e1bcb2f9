// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/contract.h"

#include <algorithm>
#include <string>

namespace ember {
namespace {

std::string where(const Arg& a) {
  return std::string(a.op) + ": " + a.name + ": ";
}

// One past the last byte that the view can reach.
const std::byte* end_of(const TensorView& v) {
  const int rank = v.shape.rank();
  int64_t elements = v.shape.last();
  if (rank >= 2) {
    elements += (v.numel() / v.shape.last() - 1) * v.row_stride;
  }
  if (rank == 3) {  // planes apart
    elements = std::max(
        elements, (v.shape[0] - 1) * v.plane_stride + (v.shape[1] - 1) * v.row_stride + v.shape[2]);
  }
  return static_cast<const std::byte*>(v.data) + elements * dtype_bytes(v.dtype);
}

}  // namespace

void require_rank(const Arg& a, int rank) {
  const TensorView& v = a.view;
  if (v.shape.rank() != rank) {
    fail(ErrorKind::kShape, where(a), "expected ", rank, " dimensions, got ", v.shape.str());
  }
  if (rank >= 2 && v.row_stride < v.shape.last()) {
    fail(ErrorKind::kShape, where(a), "expected a row stride of at least ", v.shape.last(),
         ", got ", v.row_stride);
  }
  const auto address = reinterpret_cast<uintptr_t>(v.data);
  if (v.numel() > 0 && (address == 0 || address % dtype_bytes(v.dtype) != 0)) {
    fail(ErrorKind::kAlign, where(a), "expected a pointer aligned to ", dtype_bytes(v.dtype),
         " bytes, got ", v.data);
  }
}

void require_shape(const Arg& a, const Shape& expected) {
  if (a.view.shape != expected) {
    fail(ErrorKind::kShape, where(a), "expected shape ", expected.str(), ", got ",
         a.view.shape.str());
  }
  require_rank(a, expected.rank());
}

void require_dense(const Arg& a) {
  if (a.view.shape.rank() >= 2 && !a.view.dense()) {
    fail(ErrorKind::kShape, where(a), "expected dense rows (stride ", a.view.shape.last(),
         "), got stride ", a.view.row_stride);
  }
}

void require_dtype(const Arg& a, std::initializer_list<DType> allowed) {
  std::string names;
  for (DType t : allowed) {
    if (t == a.view.dtype) {
      return;
    }
    names += (names.empty() ? "" : " or ") + std::string(dtype_name(t));
  }
  fail(ErrorKind::kDtype, where(a), "expected ", names, ", got ", dtype_name(a.view.dtype));
}

void require_float(const Arg& a) {
  require_dtype(a, {DType::kF32, DType::kF16, DType::kBF16});
}

void require_same_device(const Arg& a, const Arg& b) {
  if (a.view.device != b.view.device) {
    fail(ErrorKind::kUnsupported, where(b), "expected device ", a.view.device.str(), " as ", a.name,
         " has, got ", b.view.device.str());
  }
}

void require_cpu(const Arg& a) {
  if (a.view.device.kind != DeviceKind::kCpu) {
    fail(ErrorKind::kUnsupported, where(a), "expected host memory, got device ",
         a.view.device.str());
  }
}

void require_disjoint(const Arg& a, const Arg& b) {
  if (a.view.numel() == 0 || b.view.numel() == 0 || a.view.device != b.view.device) {
    return;
  }
  if (a.view.data < end_of(b.view) && b.view.data < end_of(a.view)) {
    fail(ErrorKind::kUnsupported, where(a), "expected memory apart from ", b.name,
         ", got views that overlap");
  }
}

void require_range(const char* op, const char* name, int64_t value, int64_t lo, int64_t hi) {
  if (value < lo || value > hi) {
    fail(ErrorKind::kShape, op, ": ", name, ": expected ", lo, " to ", hi, ", got ", value);
  }
}

}  // namespace ember
