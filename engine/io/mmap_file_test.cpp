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
