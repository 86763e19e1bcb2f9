// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/backend.h"

namespace ember {

const char* name(Tap tap) {
  switch (tap) {
    case Tap::kEmbedding:
      return "embedding";
    case Tap::kAttnNorm:
      return "attn_norm";
    case Tap::kQProj:
      return "q_proj";
    case Tap::kKProj:
      return "k_proj";
    case Tap::kVProj:
      return "v_proj";
    case Tap::kQRope:
      return "q_rope";
    case Tap::kKRope:
      return "k_rope";
    case Tap::kAttention:
      return "attention";
    case Tap::kAttnResidual:
      return "attn_residual";
    case Tap::kMlpNorm:
      return "mlp_norm";
    case Tap::kGate:
      return "gate";
    case Tap::kUp:
      return "up";
    case Tap::kSwiGlu:
      return "swiglu";
    case Tap::kLayerOut:
      return "layer_out";
    case Tap::kFinalNorm:
      return "final_norm";
    case Tap::kLogits:
      return "logits";
  }
  return "?";
}

}  // namespace ember
