// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/sample/sample.h"

namespace ember {

struct DecodeParams {
  bool greedy = false;
  // The draw of the token at position p of the session has number counter + p - 1: that of the
  // token before it, from whose pass it comes. Unread when greedy.
  k::SampleSettings settings;
  int64_t max_tokens = -1;  // how many will be asked for, when known: no step is begun beyond
  bool ahead = true;        // false: a step is begun when its predecessor's token is known
};

// Decoding in which each token is chosen where its logits are: nothing but ids reaches the host,
// and on CUDA devices the next step is under way before its predecessor's token is known here.
//
// Until it is destroyed, a stream leaves its session to itself: a session that was truncated or fed
// otherwise makes next() throw Error{kInternal}. Streams of several sessions may take turns, also
// with other calls on the runtime. A stream may be destroyed at any time: a step that was begun
// ahead has written to the cache beyond the session's length alone, where the next pass writes
// first. Must not outlive its runtime or session.
class DecodeStream {
 public:
  virtual ~DecodeStream() = default;
  // Feeds the last token and returns the one that follows; the session has then grown by the token
  // fed. Throws Error{kUsage} when the session has no room, Error{kWrong} when the logits hold a
  // NaN or an infinity, and the stream's session is then as before the call.
  virtual int32_t next() = 0;
};

}  // namespace ember
