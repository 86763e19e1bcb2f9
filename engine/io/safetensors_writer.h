// SPDX-License-Identifier: Apache-2.0
// Writes a safetensors file piece by piece, so that a tensor larger than memory can be written. The
// file takes its name only when it is whole: until finish() it stands beside it under another name.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/base/dtype.h"
#include "kernels/base/shape.h"

namespace ember {

class SafetensorsWriter {
 public:
  struct Spec {
    std::string name;
    DType dtype;
    Shape shape;
  };

  // Lays the tensors out by falling element size, otherwise in the order given, each aligned to its
  // element size. Throws Error{kUsage} for a name given twice, Error{kBadInput} when the file
  // cannot be made.
  SafetensorsWriter(const std::string& path, const std::vector<Spec>& specs,
                    const std::map<std::string, std::string>& metadata = {});
  ~SafetensorsWriter();  // removes the unfinished file
  SafetensorsWriter(const SafetensorsWriter&) = delete;
  SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

  // Adds the next `bytes` bytes of tensor `name`. Tensors may be filled in any order.
  void append(const std::string& name, const void* data, int64_t bytes);
  // Checks that every tensor is full, then gives the file its name.
  void finish();

 private:
  struct Slot {
    int64_t offset;  // in the file
    int64_t bytes;
    int64_t written = 0;
  };
  void write_at(int64_t offset, const void* data, int64_t bytes);

  std::string path_, temporary_;
  int fd_ = -1;
  std::map<std::string, Slot> slots_;
};

}  // namespace ember
