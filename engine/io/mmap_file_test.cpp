// SPDX-License-Identifier: Apache-2.0
#include "engine/io/mmap_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/io/bad_files/bad_files.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

TEST(MappedFile, ShowsTheBytes) {
  const TemporaryDirectory dir;
  write_file(dir / "a", "hello");
  const auto file = MappedFile::open(dir / "a");
  EXPECT_EQ(file->text(), "hello");
  EXPECT_EQ(read_text_file(dir / "a", 5), "hello");
  EXPECT_THROW(read_text_file(dir / "a", 4), Error);
}

TEST(MappedFile, EmptyFileHasNoBytes) {
  const TemporaryDirectory dir;
  write_file(dir / "a", "");
  const auto file = MappedFile::open(dir / "a");
  EXPECT_EQ(file->size(), 0);
  EXPECT_EQ(read_text_file(dir / "a", 5), "");
}

TEST(MappedFile, RefusesWhatIsNoFile) {
  const TemporaryDirectory dir;
  ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
  for (const std::string& path : {dir / "none", dir.path(), dir / "fifo"}) {
    EXPECT_THROW(MappedFile::open(path), Error) << path;
    EXPECT_THROW(read_text_file(path, 10), Error) << path;
  }
}

TEST(ReadMapped, EqualsTheMappingAndPlainMemory) {
  const TemporaryDirectory dir;
  std::string text;
  for (int i = 0; i < 100000; ++i) {
    text += static_cast<char>(i * 31 >> 3);
  }
  write_file(dir / "a", "another file");
  write_file(dir / "b", text);
  const auto a = MappedFile::open(dir / "a");
  const auto b = MappedFile::open(dir / "b");
  will_need(b->data(), b->size());
  for (const int64_t offset : {0, 1, 4095, 99999}) {
    std::string got(text.size() - offset, '?');
    read_mapped(got.data(), b->data() + offset, static_cast<int64_t>(got.size()));
    EXPECT_EQ(got, text.substr(offset)) << offset;
    read_mapped(got.data(), text.data() + offset, static_cast<int64_t>(got.size()));
    EXPECT_EQ(got, text.substr(offset)) << offset;
  }
  std::string got(7, '?');
  read_mapped(got.data(), a->data(), 7);
  EXPECT_EQ(got, "another");
}

TEST(ReadMapped, AShortenedFileIsNamed) {
  const TemporaryDirectory dir;
  write_file(dir / "weights", std::string(1 << 16, 'x'));
  const auto file = MappedFile::open(dir / "weights");
  ASSERT_EQ(truncate((dir / "weights").c_str(), 100), 0);
  std::string got(1000, '?');
  read_mapped(got.data(), file->data(), 50);
  try {
    read_mapped(got.data(), file->data() + 50, 1000);
    FAIL() << "nothing thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kBadInput);
    EXPECT_NE(std::string(e.what()).find("weights: cannot read byte 100"), std::string::npos)
        << e.what();
  }
}

using MappedFileDeathTest = ::testing::Test;

TEST(MappedFileDeathTest, AShortenedFileEndsWithExitCode4) {
  const TemporaryDirectory dir;
  write_file(dir / "weights", std::string(1 << 16, 'x'));
  EXPECT_EXIT(
      {
        install_sigbus_handler();
        const auto file = MappedFile::open(dir / "weights");
        if (truncate((dir / "weights").c_str(), 100) != 0) {
          _exit(1);
        }
        volatile std::byte b = file->data()[50000];
        (void)b;
        _exit(0);
      },
      ::testing::ExitedWithCode(4), "weights: the file became shorter");
}

TEST(MappedFileDeathTest, AnotherSigbusKeepsItsAction) {
  EXPECT_EXIT(
      {
        install_sigbus_handler();
        raise(SIGBUS);
        raise(SIGBUS);
        _exit(0);
      },
      ::testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace ember
