// SPDX-License-Identifier: Apache-2.0
#include "engine/io/safetensors_writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/io/checked.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

int64_t spec_bytes(const SafetensorsWriter::Spec& spec) {
  const auto bytes = checked_mul(spec.shape.numel(), dtype_bytes(spec.dtype));
  if (!bytes) {
    fail(ErrorKind::kUsage, "tensor '", spec.name, "' ", spec.shape.str(), " is too large");
  }
  return *bytes;
}

// mkstemp makes files private to the user; a result should obey the umask as any other file.
void apply_umask(int fd) {
  const mode_t mask = umask(0);
  umask(mask);
  fchmod(fd, 0666 & ~mask);
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::string& path, const std::vector<Spec>& specs,
                                     const std::map<std::string, std::string>& metadata)
    : path_(path), temporary_(path + ".XXXXXX") {
  std::vector<Spec> layout = specs;
  std::stable_sort(layout.begin(), layout.end(), [](const Spec& a, const Spec& b) {
    return dtype_bytes(a.dtype) > dtype_bytes(b.dtype);
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  int64_t end = 0;
  for (const Spec& s : layout) {
    const int64_t begin = end;
    const auto next = checked_add(end, spec_bytes(s));
    if (!next || s.name == "__metadata__" ||
        !slots_.emplace(s.name, Slot{begin, *next - begin}).second) {
      fail(ErrorKind::kUsage, path, ": tensor '", s.name, "' is given twice, or cannot be stored");
    }
    end = *next;
    std::vector<int64_t> dims;
    for (int i = 0; i < s.shape.rank(); ++i) {
      dims.push_back(s.shape[i]);
    }
    header[s.name] = {
        {"dtype", safetensors_name(s.dtype)}, {"shape", dims}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // keeps the tensors aligned in a mapping

  fd_ = mkstemp(&temporary_[0]);
  if (fd_ < 0) {
    fail(ErrorKind::kBadInput, path, ": cannot create the file: ", std::strerror(errno));
  }
  apply_umask(fd_);
  unsigned char length[8];
  for (int i = 0; i < 8; ++i) {
    length[i] = static_cast<unsigned char>(text.size() >> (8 * i));
  }
  write_at(0, length, 8);
  write_at(8, text.data(), static_cast<int64_t>(text.size()));
  for (auto& [name, slot] : slots_) {
    slot.offset += 8 + static_cast<int64_t>(text.size());
  }
}

SafetensorsWriter::~SafetensorsWriter() {
  if (fd_ >= 0) {
    close(fd_);
    unlink(temporary_.c_str());
  }
}

void SafetensorsWriter::append(const std::string& name, const void* data, int64_t bytes) {
  const auto it = slots_.find(name);
  if (fd_ < 0 || it == slots_.end()) {
    fail(ErrorKind::kUsage, path_, ": no tensor '", name, "' to write to");
  }
  Slot& slot = it->second;
  if (bytes < 0 || bytes > slot.bytes - slot.written) {
    fail(ErrorKind::kUsage, path_, ": tensor '", name, "' takes ", slot.bytes, " bytes, got ",
         slot.written, " and now ", bytes, " more");
  }
  write_at(slot.offset + slot.written, data, bytes);
  slot.written += bytes;
}

void SafetensorsWriter::finish() {
  for (const auto& [name, slot] : slots_) {
    if (slot.written != slot.bytes) {
      fail(ErrorKind::kUsage, path_, ": tensor '", name, "' takes ", slot.bytes, " bytes, got ",
           slot.written);
    }
  }
  const int fd = fd_;
  fd_ = -1;
  const bool closed = close(fd) == 0;
  if (!closed || rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    unlink(temporary_.c_str());
    fail(ErrorKind::kBadInput, path_, ": cannot write the file: ", std::strerror(error));
  }
}

void SafetensorsWriter::write_at(int64_t offset, const void* data, int64_t bytes) {
  const char* p = static_cast<const char*>(data);
  int64_t done = 0;
  while (done < bytes) {
    const ssize_t n = pwrite(fd_, p + done, static_cast<size_t>(bytes - done), offset + done);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      const int error = errno;
      close(fd_);
      fd_ = -1;
      unlink(temporary_.c_str());
      fail(ErrorKind::kBadInput, path_, ": cannot write byte ", offset + done, ": ",
           std::strerror(error));
    }
    done += n;
  }
}

}  // namespace ember
