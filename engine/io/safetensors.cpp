// SPDX-License-Identifier: Apache-2.0
#include "engine/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "engine/io/checked.h"
#include "engine/io/json.h"

namespace ember {
namespace {

constexpr int64_t kLengthBytes = 8;

// Bits of every dtype that the format defines; 0 for a name it does not.
int64_t dtype_bits(std::string_view name) {
  static constexpr struct {
    std::string_view name;
    int64_t bits;
  } kTable[] = {{"BOOL", 8},    {"F4", 4},          {"F6_E2M3", 6},     {"F6_E3M2", 6},
                {"U8", 8},      {"I8", 8},          {"F8_E5M2", 8},     {"F8_E4M3", 8},
                {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
                {"U16", 16},    {"F16", 16},        {"BF16", 16},       {"I32", 32},
                {"U32", 32},    {"F32", 32},        {"C64", 64},        {"F64", 64},
                {"I64", 64},    {"U64", 64}};
  for (const auto& row : kTable) {
    if (row.name == name) {
      return row.bits;
    }
  }
  return 0;
}

int64_t header_length(std::string_view bytes, const std::string& where) {
  const int64_t size = static_cast<int64_t>(bytes.size());
  if (size < kLengthBytes) {
    fail(ErrorKind::kBadInput, where, ": ", size,
         " bytes; a safetensors file starts with 8 bytes of header length");
  }
  uint64_t n = 0;
  for (int i = kLengthBytes - 1; i >= 0; --i) {
    n = n << 8 | static_cast<unsigned char>(bytes[i]);
  }
  if (n > static_cast<uint64_t>(SafetensorsFile::kMaxHeaderBytes)) {
    fail(ErrorKind::kBadInput, where, ": byte 0: header length ", n, ", expected at most ",
         SafetensorsFile::kMaxHeaderBytes, "; is this a safetensors file?");
  }
  if (static_cast<int64_t>(n) > size - kLengthBytes) {
    fail(ErrorKind::kBadInput, where, ": byte 0: header length ", n, ", but only ",
         size - kLengthBytes, " bytes follow; the file is cut short");
  }
  return static_cast<int64_t>(n);
}

// Bytes that a shape of a dtype takes; refuses what does not fit in int64 or in whole bytes.
int64_t tensor_bytes(const JsonNode& shape, const std::vector<int64_t>& dims, int64_t bits) {
  std::optional<int64_t> total = bits;
  for (const int64_t d : dims) {
    total = checked_mul(*total, d);
    if (!total) {
      shape.fail("the product of the dimensions does not fit in 64 bits");
    }
  }
  if (*total % 8 != 0) {
    shape.fail("its ", *total, " bits are not a whole number of bytes");
  }
  return *total / 8;
}

TensorEntry read_entry(const std::string& name, const JsonNode& node, const std::string& path) {
  for (const auto& field : node.object().value().items()) {
    if (field.key() != "dtype" && field.key() != "shape" && field.key() != "data_offsets") {
      node.fail("unknown field '", printable(field.key()),
                "'; a tensor has dtype, shape and data_offsets");
    }
  }
  TensorEntry entry;
  entry.name = name;
  entry.file = path;
  const JsonNode dtype = node.at("dtype");
  entry.dtype = dtype.string();
  const int64_t bits = dtype_bits(entry.dtype);
  if (bits == 0) {
    dtype.fail("unknown dtype '", printable(entry.dtype), "'");
  }
  const JsonNode shape = node.at("shape");
  for (size_t i = 0; i < shape.array().size(); ++i) {
    entry.dims.push_back(shape.item(i).integer());
  }
  entry.bytes = tensor_bytes(shape, entry.dims, bits);

  const JsonNode span = node.at("data_offsets");
  if (span.array().size() != 2) {
    span.fail("expected [begin, end], got ", span.size(), " items");
  }
  const int64_t begin = span.item(0).integer();
  const int64_t end = span.item(1).integer();
  if (begin > end || end - begin != entry.bytes) {
    span.fail("[", begin, ", ", end, "] spans ", end - begin, " bytes, but shape ",
              entry.shape_text(), " of ", entry.dtype, " takes ", entry.bytes);
  }
  entry.offset = begin;  // made absolute once the spans are checked
  return entry;
}

}  // namespace

std::string TensorEntry::shape_text() const {
  std::string s = "(";
  for (size_t i = 0; i < dims.size(); ++i) {
    s += (i ? ", " : "") + std::to_string(dims[i]);
  }
  return s + ")";
}

const TensorView& TensorEntry::tensor() const {
  if (!unreadable.empty()) {
    fail(ErrorKind::kBadInput, file, ": tensor '", printable(name), "' (byte ", offset,
         "): ", unreadable, "; expected F32, F16 or BF16 of rank 4 at most");
  }
  return view;
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::string& path) {
  std::shared_ptr<const MappedFile> mapping = MappedFile::open(path);
  const std::string_view bytes = mapping->text();
  return std::shared_ptr<const SafetensorsFile>(
      new SafetensorsFile(std::move(mapping), bytes, path));
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::parse(std::string_view bytes,
                                                              const std::string& where) {
  return std::shared_ptr<const SafetensorsFile>(new SafetensorsFile(nullptr, bytes, where));
}

SafetensorsFile::SafetensorsFile(std::shared_ptr<const MappedFile> mapping, std::string_view bytes,
                                 std::string path)
    : mapping_(std::move(mapping)),
      path_(std::move(path)),
      size_(static_cast<int64_t>(bytes.size())) {
  const int64_t header_bytes = header_length(bytes, path_);
  read_header(bytes, header_bytes);
  check_spans(kLengthBytes + header_bytes);
  for (TensorEntry& t : tensors_) {
    t.offset += kLengthBytes + header_bytes;
  }
  form_views(bytes);
}

void SafetensorsFile::read_header(std::string_view bytes, int64_t header_bytes) {
  const JsonDocument document(bytes.substr(kLengthBytes, static_cast<size_t>(header_bytes)), path_,
                              kLengthBytes);
  const JsonNode root = document.root();
  for (const auto& item : root.object().value().items()) {
    const JsonNode node = root.at(item.key());
    if (item.key() == "__metadata__") {
      for (const auto& pair : node.object().value().items()) {
        metadata_[pair.key()] = node.at(pair.key()).string();
      }
    } else {
      tensors_.push_back(read_entry(item.key(), node, path_));
    }
  }
  // An empty tensor sorts before the one that starts where it stands.
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.offset, a.bytes, a.name) < std::tie(b.offset, b.bytes, b.name);
  });
}

void SafetensorsFile::check_spans(int64_t data_begin) const {
  // `end` never exceeds `available`, so data_begin + end cannot overflow.
  const int64_t available = size_ - data_begin;
  int64_t end = 0;
  for (const TensorEntry& t : tensors_) {
    if (t.offset != end) {
      fail(ErrorKind::kBadInput, path_, ": tensor '", printable(t.name), "': data starts at ",
           t.offset, " (byte offset after the header), ",
           t.offset > end ? "leaving a gap after " : "overlapping the data that ends at ", end);
    }
    if (t.bytes > available - end) {
      fail(ErrorKind::kBadInput, path_, ": tensor '", printable(t.name), "' (byte ",
           data_begin + end, "): needs ", t.bytes, " bytes, the file has ", available - end,
           " left; it is cut short");
    }
    end += t.bytes;
  }
  if (end != available) {
    fail(ErrorKind::kBadInput, path_, ": byte ", data_begin + end, ": ", available - end,
         " bytes follow the last tensor");
  }
}

void SafetensorsFile::form_views(std::string_view bytes) {
  for (size_t i = 0; i < tensors_.size(); ++i) {
    TensorEntry& t = tensors_[i];
    by_name_[t.name] = i;
    const std::optional<DType> dtype = dtype_from_safetensors(t.dtype);
    if (!dtype || *dtype == DType::kI32) {
      t.unreadable = "dtype " + t.dtype;
      continue;
    }
    if (t.dims.size() > Shape::kMaxRank) {
      t.unreadable = "rank " + std::to_string(t.dims.size());
      continue;
    }
    const char* data = bytes.data() + t.offset;
    if (reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(dtype_bytes(*dtype)) != 0) {
      copies_.push_back(std::make_unique<std::byte[]>(static_cast<size_t>(t.bytes)));
      std::memcpy(copies_.back().get(), data, static_cast<size_t>(t.bytes));
      data = reinterpret_cast<const char*>(copies_.back().get());
    }
    t.view = TensorView(const_cast<char*>(data), *dtype, Shape(t.dims.data(), t.dims.size()));
  }
}

const TensorEntry* SafetensorsFile::find(const std::string& name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : &tensors_[it->second];
}

}  // namespace ember
