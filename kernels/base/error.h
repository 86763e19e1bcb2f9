// SPDX-License-Identifier: Apache-2.0
// Errors that end a command. Expected outcomes (end of text, no room left) are return values.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace ember {

enum class ErrorKind {
  kWrong,         // the result is wrong: a golden check or a gate failed
  kUsage,         // wrong flags, or a configuration that contradicts itself
  kInconclusive,  // not comparable, or too noisy to say
  kBadInput,      // a model, tokenizer, reference or report that cannot be read
  kNoDevice,      // no usable device
  kOutOfMemory,   // the memory plan does not fit
  kTimeout,       // a limit given by the user ran out
  kShape,         // contract violations of an op: bugs of the caller
  kDtype,
  kAlign,
  kUnsupported,
  kInternal,
};

// The process exit code of each kind; docs/cli.md lists them for users.
int exit_code(ErrorKind kind);
const char* name(ErrorKind kind);

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

// Throws an Error whose message is the parts streamed one after another.
template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  throw Error(kind, out.str());
}

}  // namespace ember

// A condition that only a bug in Ember can break. The message says what was expected and what came.
#define EMBER_CHECK(condition, ...)                                                           \
  do {                                                                                        \
    if (!(condition)) {                                                                       \
      ::ember::fail(::ember::ErrorKind::kInternal, __FILE__, ":", __LINE__, ": ", #condition, \
                    ": ", __VA_ARGS__);                                                       \
    }                                                                                         \
  } while (false)
