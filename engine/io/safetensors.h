// SPDX-License-Identifier: Apache-2.0
// The safetensors format (https://github.com/huggingface/safetensors, "Format"): 8 bytes of
// little-endian header length N, N bytes of JSON, then the tensors' bytes.
//
// A file is read through a read-only mapping. Every check stands before any pointer is formed:
//   - N is at most 100,000,000 and fits in the file;
//   - the header is UTF-8 JSON without duplicate keys; white space may stand before `{` (as the
//     reference reader accepts, although the format's text does not) and after `}`;
//   - every tensor has exactly dtype, shape and data_offsets; numbers are unsigned integers <=
//   2^53;
//   - shape x dtype equals the span of its offsets, in checked arithmetic;
//   - the spans start at 0, leave no gap, do not overlap, and end where the file ends.
// All of it throws Error{kBadInput} with file, tensor or field, and byte offset in the file.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/io/mmap_file.h"
#include "kernels/base/tensor.h"

namespace ember {

struct TensorEntry {
  std::string name;
  // Into the mapping (writing to it crashes), on the CPU, aligned to the element size. `data` is
  // null when this reader cannot present the tensor: see `unreadable`.
  TensorView view;
  std::string file;  // path of the file that holds it
  int64_t offset;    // of its first byte in that file
  int64_t bytes;
  std::string dtype;          // as the header names it, "BF16"
  std::vector<int64_t> dims;  // as the header lists them, of any rank
  std::string unreadable;     // empty, or why there is no view: "dtype I64", "rank 5"

  std::string shape_text() const;  // "(2, 3)"
  // The view; throws Error{kBadInput} naming the tensor when there is none.
  const TensorView& tensor() const;
};

class SafetensorsFile {
 public:
  static constexpr int64_t kMaxHeaderBytes = 100'000'000;

  static std::shared_ptr<const SafetensorsFile> open(const std::string& path);
  // The same checks on bytes in memory, which must outlive the result.
  static std::shared_ptr<const SafetensorsFile> parse(std::string_view bytes,
                                                      const std::string& where);

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }
  // In the order of their bytes in the file.
  const std::vector<TensorEntry>& tensors() const { return tensors_; }
  const TensorEntry* find(const std::string& name) const;  // nullptr when absent
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  SafetensorsFile(std::shared_ptr<const MappedFile> mapping, std::string_view bytes,
                  std::string path);
  void read_header(std::string_view bytes, int64_t header_bytes);
  void check_spans(int64_t data_begin) const;
  void form_views(std::string_view bytes);

  std::shared_ptr<const MappedFile> mapping_;  // null when parsed from memory
  std::string path_;
  int64_t size_;
  std::vector<TensorEntry> tensors_;
  std::unordered_map<std::string, size_t> by_name_;
  std::map<std::string, std::string> metadata_;
  // Aligned copies of tensors whose bytes start at an address their type does not allow. The
  // format's writers align, but the format does not promise it.
  std::vector<std::unique_ptr<std::byte[]>> copies_;
};

}  // namespace ember
