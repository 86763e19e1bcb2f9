// SPDX-License-Identifier: Apache-2.0
// Linked instead of the .cu files of the ops in a build without CUDA.
#include "kernels/advance/advance.h"
#include "kernels/attention/attention.h"
#include "kernels/attention_step/attention_step.h"
#include "kernels/base/error.h"
#include "kernels/common/device_info.h"
#include "kernels/copy/copy.h"
#include "kernels/decode_layers/decode_layers.h"
#include "kernels/embed/embed.h"
#include "kernels/linear/blas_info.h"
#include "kernels/linear/linear.h"
#include "kernels/norm_linear/norm_linear.h"
#include "kernels/qk_norm_rope/qk_norm_rope.h"
#include "kernels/random_weights/random_weights.h"
#include "kernels/rmsnorm/rmsnorm.h"
#include "kernels/sample/sample.h"
#include "kernels/swiglu/swiglu.h"

namespace ember::k {
namespace {

[[noreturn]] void no_cuda(const char* op) {
  fail(ErrorKind::kUnsupported, op, ": built without CUDA");
}

}  // namespace

const DeviceLimits& device_limits(DeviceId) {
  no_cuda("device_limits");
}
void advance_cuda(const AdvanceParams&, Stream) {
  no_cuda("advance");
}
void attention_cuda(const AttentionParams&, Stream) {
  no_cuda("attention");
}
void attention_step_cuda(const AttentionStepParams&, Stream) {
  no_cuda("attention_step");
}
void copy_cuda(const CopyParams&, Stream) {
  no_cuda("copy");
}
bool decode_layers_takes(const DecodeLayersParams&) {
  return false;
}
void decode_layers_cuda(const DecodeLayersParams&, Stream) {
  no_cuda("decode_layers");
}
void embed_cuda(const EmbedParams&, Stream) {
  no_cuda("embed");
}
std::string cuda_blas_version() {
  return "";
}
void linear_cuda(const LinearParams&, Stream) {
  no_cuda("linear");
}
void norm_linear_cuda(const NormLinearParams&, Stream) {
  no_cuda("norm_linear");
}
void qk_norm_rope_cuda(const QkNormRopeParams&, Stream) {
  no_cuda("qk_norm_rope");
}
void random_weights_cuda(const RandomWeightsParams&, Stream) {
  no_cuda("random_weights");
}
void rmsnorm_cuda(const RmsNormParams&, Stream) {
  no_cuda("rmsnorm");
}
void sample_cuda(const SampleParams&, Stream) {
  no_cuda("sample");
}
void swiglu_cuda(const SwigluParams&, Stream) {
  no_cuda("swiglu");
}

}  // namespace ember::k
