// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "kernels/base/error.h"
#include "kernels/sample/sample.h"

namespace ember {

class Session;

struct DecodeParams {
  bool greedy = false;
  // The draw of the token at position p of the session has number counter + p - 1: that of the
  // token before it, from whose pass it comes. Unread when greedy.
  k::SampleSettings settings;
  int64_t max_tokens = -1;  // how many will be asked for, when known: no step is begun beyond
  bool ahead = true;        // false: a step is begun when its predecessor's token is known
};

// A session that a stream continues: the first step feeds first_id, which follows what it holds.
struct DecodeSequence {
  Session* session;
  int32_t first_id;
  DecodeParams params;
};

// Throws Error{kWrong} that says what a choice below zero means (kernels/sample/sample.h), for the
// token at this position; the message begins with `who`.
[[noreturn]] void fail_choice(const std::string& who, int32_t id, int64_t position);

// Decoding in which each token is chosen where its logits are: nothing but ids reaches the host,
// and on CUDA devices the next step is under way before its predecessor's token is known here. One
// step takes a token of every sequence of the stream, each at its own position and chosen in its
// own way, and reads the weights once for all of them.
//
// Until it is destroyed, a stream leaves its sessions to itself: a session that was truncated or
// fed otherwise makes next() throw Error{kInternal}; one that was taken out is free again. Streams
// may take turns, also with other calls on the runtime. A stream may be destroyed at any time: a
// step that was begun ahead has written to the caches beyond the sessions' lengths alone, where the
// next pass writes first. Must not outlive its runtime or sessions.
class DecodeStream {
 public:
  virtual ~DecodeStream() = default;

  // Sequences in the stream.
  virtual int64_t size() const = 0;

  // Feeds the last token of each sequence and writes the ones that follow to ids[0..size()); each
  // session has then grown by the token fed. Throws Error{kUsage} when a session has no room,
  // Error{kWrong} when logits hold a NaN or an infinity; with several sequences the message names
  // the one to take out. All sessions are then as before the call, and the others can go on.
  virtual void next(int32_t* ids) = 0;

  // Takes sequence i out; those behind it move up. Its session keeps what next() has fed.
  virtual void leave(int64_t i) = 0;

  // For measuring: gives the devices `steps` further steps, whose tokens the host never reads,
  // calls `given`, and waits until they are done. The sessions do not grow, and the stream has
  // ended: any further call throws Error{kInternal}. Throws Error{kUsage} when a session has no
  // room for them.
  virtual void run_unread(int64_t steps, const std::function<void()>& given) = 0;

  // For a stream of one sequence.
  int32_t next() {
    EMBER_CHECK(size() == 1, "one token of a stream of ", size(), " sequences");
    int32_t id = 0;
    next(&id);
    return id;
  }
};

}  // namespace ember
