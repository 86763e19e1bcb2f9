// SPDX-License-Identifier: Apache-2.0
#include "engine/io/safetensors.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/io/bad_files/bad_files_testing.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   int begin, int end) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * 4};
}

// Bytes at an 8-aligned address, as a mapping has.
class Bytes {
 public:
  explicit Bytes(const std::string& bytes) : store_((bytes.size() + 7) / 8), size_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(store_.data()));
  }
  std::string_view view() const { return {reinterpret_cast<const char*>(store_.data()), size_}; }

 private:
  std::vector<uint64_t> store_;
  size_t size_;
};

TEST(Safetensors, ReadsTensorsAndMetadata) {
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}," +
                       tensor("b", "F32", "[2,1]", 4, 12) + "," + tensor("a", "BF16", "[2]", 0, 4) +
                       "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const Bytes bytes(safetensors_bytes(header, std::string("\x80\x3f\0\xc0", 4) + floats({7, 8})));
  const auto file = SafetensorsFile::parse(bytes.view(), "m");
  EXPECT_EQ(file->metadata().at("format"), "pt");
  ASSERT_EQ(file->tensors().size(), 2u);
  EXPECT_EQ(file->tensors()[0].name, "a");  // in the order of the bytes
  const TensorEntry* a = file->find("a");
  EXPECT_EQ(to_float(a->view.as<BF16>()[0]), 1.0f);
  EXPECT_EQ(to_float(a->view.as<BF16>()[1]), -2.0f);
  EXPECT_EQ(a->offset, static_cast<int64_t>(8 + header.size()));
  const TensorEntry* b = file->find("b");
  EXPECT_EQ(b->view.shape, (Shape{2, 1}));
  EXPECT_EQ(b->view.as<float>()[1], 8.0f);
  EXPECT_EQ(b->view.data, static_cast<const void*>(bytes.view().data() + b->offset));
  EXPECT_EQ(file->find("c"), nullptr);
}

TEST(Safetensors, AcceptsWhatTheReferenceReaderAccepts) {
  const std::string ok = "{" + tensor("a", "F32", "[1]", 0, 4) + "}";
  for (const std::string& header :
       {ok + " ", ok + "\r\n", ok + "\n", ok + "\t\t", " " + ok, "\n\t" + ok}) {
    EXPECT_EQ(SafetensorsFile::parse(safetensors_bytes(header, "1234"), "m")->tensors().size(), 1u);
  }
  EXPECT_TRUE(SafetensorsFile::parse(safetensors_bytes("{}"), "m")->tensors().empty());
  EXPECT_TRUE(
      SafetensorsFile::parse(safetensors_bytes("{\"__metadata__\":{}}"), "m")->tensors().empty());
}

TEST(Safetensors, EmptyTensorsTakeNoSpace) {
  const std::string header =
      "{" + tensor("z", "F32", "[0]", 4, 4) + "," + tensor("e", "F32", "[3,0]", 0, 0) + "," +
      tensor("a", "F32", "[]", 0, 4) + "," + tensor("f", "F32", "[0,9007199254740992]", 0, 0) + "}";
  const auto file = SafetensorsFile::parse(safetensors_bytes(header, "1234"), "m");
  EXPECT_EQ(file->tensors().size(), 4u);
  EXPECT_EQ(file->find("e")->view.numel(), 0);
  EXPECT_EQ(file->find("a")->view.numel(), 1);
}

TEST(Safetensors, OtherTypesAreListedAndRefusedWhenRead) {
  const std::string header =
      "{" + tensor("i", "I64", "[1]", 0, 8) + "," + tensor("f", "F8_E4M3", "[2]", 8, 10) + "," +
      tensor("n", "F4", "[4]", 10, 12) + "," + tensor("r", "F32", "[1,1,1,1,1]", 12, 16) + "}";
  const auto file = SafetensorsFile::parse(safetensors_bytes(header, std::string(16, '\0')), "m");
  ASSERT_EQ(file->tensors().size(), 4u);
  for (const char* name : {"i", "f", "n", "r"}) {
    const TensorEntry* t = file->find(name);
    EXPECT_EQ(t->view.data, nullptr) << name;
    EXPECT_FALSE(t->unreadable.empty()) << name;
    try {
      t->tensor();
      FAIL() << name;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kBadInput);
      EXPECT_NE(std::string(e.what()).find("tensor '" + t->name + "'"), std::string::npos);
    }
  }
  EXPECT_EQ(file->find("r")->dims.size(), 5u);
}

// A byte of another tensor in front puts the floats at an odd address: they are copied.
TEST(Safetensors, MisalignedTensorsAreReadable) {
  for (int shift = 1; shift < 8; ++shift) {
    std::string header = "{" + tensor("u", "U8", "[" + std::to_string(shift) + "]", 0, shift) +
                         "," + tensor("a", "F32", "[2]", shift, shift + 8) + "," +
                         tensor("h", "F16", "[1]", shift + 8, shift + 10) + "}";
    const Bytes bytes(safetensors_bytes(
        header, std::string(static_cast<size_t>(shift), 'u') + floats({1.5f, -3}) + "\x01\x3c"));
    const auto file = SafetensorsFile::parse(bytes.view(), "m");
    const TensorView& a = file->find("a")->view;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data) % 4, 0u);
    EXPECT_EQ(a.as<float>()[0], 1.5f);
    EXPECT_EQ(a.as<float>()[1], -3.0f);
    EXPECT_EQ(file->find("h")->view.as<F16>()[0].bits, 0x3c01);
  }
}

// The header's checks stand on their own, whatever config.json says.
TEST(Safetensors, RefusesEveryBadFile) {
  int refused = 0;
  for (const BadFile& bad : bad_weight_files()) {
    refused += refuses(bad, [](const std::string& dir) {
      const std::string path = dir + "/model.safetensors";
      if (file_exists(path)) {  // or the fault is the directory's, not this file's
        SafetensorsFile::open(path);
      }
    });
  }
  EXPECT_GE(refused, 59);
}

// Every shorter file of a good one is refused, and no byte changed in it is read past its end.
TEST(Safetensors, EveryTruncationIsRefused) {
  const TemporaryDirectory dir;
  write_good_model(dir.path());
  const std::string bytes = read_text_file(dir / "model.safetensors", 1 << 20);
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THROW(SafetensorsFile::parse(std::string_view(bytes).substr(0, n), "m"), Error) << n;
  }
}

TEST(Safetensors, FlippedHeaderBytesNeverCrash) {
  const TemporaryDirectory dir;
  write_good_model(dir.path());
  const std::string good = read_text_file(dir / "model.safetensors", 1 << 20);
  uint32_t state = 1;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = good;
    state = state * 1664525u + 1013904223u;
    const size_t at = (state >> 8) % 1500;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (state >> 29)));
    try {
      const auto file = SafetensorsFile::parse(bytes, "m");
      for (const TensorEntry& t : file->tensors()) {
        ASSERT_LE(t.offset + t.bytes, static_cast<int64_t>(bytes.size()));
      }
    } catch (const Error& e) {
      ASSERT_EQ(e.kind(), ErrorKind::kBadInput) << e.what();
    }
  }
}

}  // namespace
}  // namespace ember
