// SPDX-License-Identifier: Apache-2.0
// Many tokens: cuBLASLt, fp32 accumulation, the residual added in the epilogue (beta = 1 into an
// fp32 y). Limited by arithmetic. A plan holds the library's first choice for one combination of
// shapes, strides, dtypes and alignments. Plans are not timed against each other: the choice would
// then vary from run to run, and with it the last bits of the results. H100 80GB HBM3, bf16: 785
// TFLOP/s at 8192^3, 640 to 740 on the matrices of 4B at 2048 tokens, 520 to 650 at 512.
#include <cublasLt.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

#include "kernels/base/cuda_scratch.cuh"
#include "kernels/common/launch.cuh"
#include "kernels/linear/blas_info.h"
#include "kernels/linear/linear_plan.h"

namespace ember::k {
namespace {

constexpr int64_t kWorkspaceBytes = kLinearScratchBytes;

// device, T, N, K, the strides of x, w and y, dtypes of x and y, accumulate, alignments.
using Key = std::tuple<int, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, DType, DType,
                       bool, int, int, int>;

struct Plan {
  cublasLtMatmulDesc_t op = nullptr;
  cublasLtMatrixLayout_t w = nullptr, x = nullptr, y = nullptr;
  cublasLtMatmulAlgo_t algo{};
  bool found = false;
};

// Never destroyed: the library may be gone before static destructors run.
struct Library {
  std::mutex mutex;
  std::map<int, cublasLtHandle_t> handles;  // by device
  std::map<Key, Plan> plans;
};

Library& library() {
  static Library* l = std::make_unique<Library>().release();
  return *l;
}

cudaDataType_t library_type(DType t) {
  return t == DType::kF16 ? CUDA_R_16F : t == DType::kBF16 ? CUDA_R_16BF : CUDA_R_32F;
}

// The largest power of two up to 256 that divides the address.
int alignment(const void* p) {
  int a = 256;
  while (reinterpret_cast<uintptr_t>(p) % a != 0) {
    a /= 2;
  }
  return a;
}

template <class Descriptor, class Attribute, class T>
void set(cublasStatus_t (*setter)(Descriptor, Attribute, const void*, size_t), Descriptor d,
         Attribute attribute, const T& value) {
  EMBER_CUBLAS(setter(d, attribute, &value, sizeof value));
}

// The library counts columns first: a row-major (N, K) is its (K, N), so that y^T = w^T' x^T.
Plan make_plan(cublasLtHandle_t handle, const LinearParams& p) {
  const int64_t T = p.x.shape[0], N = p.w.shape[0], K = p.w.shape[1];
  Plan plan;
  EMBER_CUBLAS(cublasLtMatmulDescCreate(&plan.op, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  set(cublasLtMatmulDescSetAttribute, plan.op, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  set(cublasLtMatmulDescSetAttribute, plan.op, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
  const auto layout = [](cublasLtMatrixLayout_t* to, const TensorView& v, int64_t rows,
                         int64_t cols) {
    EMBER_CUBLAS(cublasLtMatrixLayoutCreate(to, library_type(v.dtype), static_cast<uint64_t>(rows),
                                            static_cast<uint64_t>(cols), v.row_stride));
  };
  layout(&plan.w, p.w, K, N);
  layout(&plan.x, p.x, K, T);
  layout(&plan.y, p.y, N, T);

  cublasLtMatmulPreference_t wish = nullptr;
  EMBER_CUBLAS(cublasLtMatmulPreferenceCreate(&wish));
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    set(cublasLtMatmulPreferenceSetAttribute, wish, attribute, value);
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(kWorkspaceBytes));
  // Partial sums of a split K stay in fp32 and are added in a fixed order.
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
         static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_NONE |
                               CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<uint32_t>(alignment(p.w.data)));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<uint32_t>(alignment(p.x.data)));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<uint32_t>(alignment(p.y.data)));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<uint32_t>(alignment(p.y.data)));
  cublasLtMatmulHeuristicResult_t best{};
  int count = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle, plan.op, plan.w, plan.x, plan.y, plan.y, wish, 1, &best, &count);
  EMBER_CUBLAS(cublasLtMatmulPreferenceDestroy(wish));
  if (status != CUBLAS_STATUS_NOT_SUPPORTED && status != CUBLAS_STATUS_INVALID_VALUE) {
    EMBER_CUBLAS(status);
    plan.found = count > 0 && best.state == CUBLAS_STATUS_SUCCESS;
    plan.algo = best.algo;
  }
  return plan;
}

}  // namespace

bool linear_library_cuda(const LinearParams& p, Stream stream) {
  const int device = p.y.device.index;
  const Key key{device,
                p.x.shape[0],
                p.w.shape[0],
                p.w.shape[1],
                p.x.row_stride,
                p.w.row_stride,
                p.y.row_stride,
                p.x.dtype,
                p.y.dtype,
                p.accumulate,
                alignment(p.x.data),
                alignment(p.w.data),
                alignment(p.y.data)};
  Library& l = library();
  cublasLtHandle_t handle = nullptr;
  Plan plan;
  {
    const std::lock_guard<std::mutex> lock(l.mutex);
    cublasLtHandle_t& known = l.handles[device];
    if (known == nullptr) {
      EMBER_CUBLAS(cublasLtCreate(&known));
    }
    handle = known;
    auto found = l.plans.find(key);
    if (found == l.plans.end()) {
      found = l.plans.emplace(key, make_plan(handle, p)).first;
    }
    plan = found->second;
  }
  if (!plan.found) {
    return false;
  }
  LaunchLog::add_library("linear");
  const float beta = p.accumulate ? 1.0f : 0.0f;
  std::byte* workspace =
      cuda::scratch(device, stream, cuda::ScratchUser::kLinearLibrary, kWorkspaceBytes);
  EMBER_CUBLAS(cublasLtMatmul(handle, plan.op, &p.alpha, p.w.data, plan.w, p.x.data, plan.x, &beta,
                              p.y.data, plan.y, p.y.data, plan.y, &plan.algo, workspace,
                              static_cast<size_t>(kWorkspaceBytes), cuda::raw(stream)));
  return true;
}

std::string cuda_blas_version() {
  std::string text;
  for (const libraryPropertyType part : {MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL}) {
    int number = 0;
    if (cublasLtGetProperty(part, &number) != CUBLAS_STATUS_SUCCESS) {
      return "";
    }
    text += (text.empty() ? "" : ".") + std::to_string(number);
  }
  return text;
}

}  // namespace ember::k
