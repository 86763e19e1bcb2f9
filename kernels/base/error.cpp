// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/error.h"

namespace ember {

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kWrong:
      return 1;
    case ErrorKind::kUsage:
      return 2;
    case ErrorKind::kInconclusive:
      return 3;
    case ErrorKind::kBadInput:
      return 4;
    case ErrorKind::kNoDevice:
      return 5;
    case ErrorKind::kOutOfMemory:
      return 6;
    case ErrorKind::kTimeout:
      return 7;
    case ErrorKind::kShape:
    case ErrorKind::kDtype:
    case ErrorKind::kAlign:
    case ErrorKind::kUnsupported:
    case ErrorKind::kInternal:
      return 70;
  }
  return 70;
}

const char* name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kWrong:
      return "wrong result";
    case ErrorKind::kUsage:
      return "usage";
    case ErrorKind::kInconclusive:
      return "inconclusive";
    case ErrorKind::kBadInput:
      return "bad input";
    case ErrorKind::kNoDevice:
      return "no device";
    case ErrorKind::kOutOfMemory:
      return "out of memory";
    case ErrorKind::kTimeout:
      return "time-out";
    case ErrorKind::kShape:
      return "shape";
    case ErrorKind::kDtype:
      return "dtype";
    case ErrorKind::kAlign:
      return "alignment";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kInternal:
      return "internal error";
  }
  return "internal error";
}

}  // namespace ember
