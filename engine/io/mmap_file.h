// SPDX-License-Identifier: Apache-2.0
// A file mapped read-only. The pages are shared with every process that maps the same file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ember {

class MappedFile {
 public:
  // Maps the whole file. Throws Error{kBadInput} when it cannot be opened or is not a regular file.
  static std::shared_ptr<const MappedFile> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::byte* data() const { return data_; }  // nullptr when the file is empty
  int64_t size() const { return size_; }
  const std::string& path() const { return path_; }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(data_), static_cast<size_t>(size_)};
  }

 private:
  MappedFile(std::string path, const std::byte* data, int64_t size, int descriptor);

  std::string path_;
  const std::byte* data_ = nullptr;
  int64_t size_ = 0;
  int descriptor_ = -1;
  int slot_ = -1;  // entry in the table of mappings
};

// As memcpy. What lies in a mapped file is read from the file instead of through the mapping, which
// spares a page fault every few pages and is half as fast again. May be called from several threads
// while the file stays mapped. Throws Error{kBadInput} when the file cannot be read or became
// shorter.
void read_mapped(void* to, const void* from, int64_t bytes);

// Lets the system begin to read what of these bytes of a mapped file is not in memory yet. A hint:
// memory that is no mapping, or in memory already, costs next to nothing.
void will_need(const void* from, int64_t bytes);

// A mapped file that another process shortens raises SIGBUS at the first touch of a lost page. The
// handler names the file on stderr and ends the process with exit code 4; a SIGBUS that no mapping
// explains keeps its default action. Call once at start-up.
void install_sigbus_handler();

// The whole text of a small file. Throws Error{kBadInput} when it cannot be read or is larger than
// `max_bytes`.
std::string read_text_file(const std::string& path, int64_t max_bytes);

bool file_exists(const std::string& path);
bool is_directory(const std::string& path);

}  // namespace ember
