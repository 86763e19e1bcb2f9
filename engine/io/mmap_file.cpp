// SPDX-License-Identifier: Apache-2.0
#include "engine/io/mmap_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "kernels/base/error.h"

namespace ember {
namespace {

// What the signal handler may read: no lock, no allocation. `begin` is written last and cleared
// first, so a slot whose `begin` is set is whole.
struct Slot {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  std::atomic<const char*> path{nullptr};
  std::atomic<int> descriptor{-1};
  std::atomic<bool> taken{false};
};
std::array<Slot, 512> slots;

int take_slot(const void* data, int64_t size, const char* path, int descriptor) {
  for (size_t i = 0; i < slots.size(); ++i) {
    Slot& s = slots[i];
    if (!s.taken.exchange(true)) {
      const uintptr_t begin = reinterpret_cast<uintptr_t>(data);
      s.end = begin + static_cast<uintptr_t>(size);
      s.path = path;
      s.descriptor = descriptor;
      s.begin = begin;
      return static_cast<int>(i);
    }
  }
  return -1;  // more mappings than slots: such a file is not named by the handler
}

void release_slot(int index) {
  if (index >= 0) {
    slots[index].begin = 0;
    slots[index].taken = false;
  }
}

// The mapping that holds an address, or null.
const Slot* find_slot(uintptr_t at) {
  for (const Slot& s : slots) {
    const uintptr_t begin = s.begin;
    if (begin != 0 && at >= begin && at < s.end) {
      return &s;
    }
  }
  return nullptr;
}

void write_stderr(const char* text) {
  size_t left = std::strlen(text);
  while (left > 0) {
    const ssize_t n = write(STDERR_FILENO, text, left);
    if (n <= 0) {
      return;
    }
    text += n;
    left -= static_cast<size_t>(n);
  }
}

void on_sigbus(int signal_number, siginfo_t* info, void*) {
  if (const Slot* s = find_slot(reinterpret_cast<uintptr_t>(info->si_addr))) {
    write_stderr("ember: bad input: ");
    write_stderr(s->path);
    write_stderr(
        ": the file became shorter, or could not be read, while it was in use. "
        "Restore the file and run again.\n");
    _exit(4);
  }
  signal(signal_number, SIG_DFL);  // not ours: the faulting access repeats and ends the process
}

struct FileDescriptor {
  int fd;
  ~FileDescriptor() {
    if (fd >= 0) {
      close(fd);
    }
  }
};

// Opens a regular file for reading and gives its size. O_NONBLOCK keeps a FIFO from blocking.
int open_regular(const std::string& path, int64_t* size) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    fail(ErrorKind::kBadInput, path, ": cannot open: ", std::strerror(errno));
  }
  struct stat st;
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    close(fd);
    fail(ErrorKind::kBadInput, path, ": not a regular file");
  }
  *size = st.st_size;
  return fd;
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path) {
  int64_t size = 0;
  FileDescriptor file{open_regular(path, &size)};
  const std::byte* data = nullptr;
  if (size > 0) {
    void* p = mmap(nullptr, static_cast<size_t>(size), PROT_READ, MAP_SHARED, file.fd, 0);
    if (p == MAP_FAILED) {
      fail(ErrorKind::kBadInput, path, ": cannot map ", size, " bytes: ", std::strerror(errno));
    }
    data = static_cast<const std::byte*>(p);
  }
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, data, size, std::exchange(file.fd, -1)));
}

MappedFile::MappedFile(std::string path, const std::byte* data, int64_t size, int descriptor)
    : path_(std::move(path)), data_(data), size_(size), descriptor_(descriptor) {
  if (data_) {
    slot_ = take_slot(data_, size_, path_.c_str(), descriptor_);
  }
}

MappedFile::~MappedFile() {
  release_slot(slot_);
  if (data_) {
    munmap(const_cast<std::byte*>(data_), static_cast<size_t>(size_));
  }
  close(descriptor_);
}

void read_mapped(void* to, const void* from, int64_t bytes) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(from);
  const Slot* s = find_slot(at);
  if (s == nullptr) {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    return;
  }
  const int64_t offset = static_cast<int64_t>(at - s->begin);
  for (int64_t done = 0; done < bytes;) {
    const ssize_t n = pread(s->descriptor, static_cast<std::byte*>(to) + done,
                            static_cast<size_t>(bytes - done), offset + done);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      fail(ErrorKind::kBadInput, s->path.load(), ": cannot read byte ", offset + done, ": ",
           n < 0 ? std::strerror(errno) : "the file became shorter while it was in use");
    }
    done += n;
  }
}

void will_need(const void* from, int64_t bytes) {
  constexpr uintptr_t kStep = uintptr_t{8} << 20;
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(from), end = begin + bytes;
  if (find_slot(begin) == nullptr) {
    return;
  }
  // One page answers for a step: asking for what is there already would walk all of its pages.
  for (uintptr_t at = begin / page * page; at < end; at += kStep) {
    void* p = reinterpret_cast<void*>(at);
    unsigned char resident = 0;
    if (mincore(p, page, &resident) == 0 && (resident & 1) == 0) {
      madvise(p, std::min(kStep, end - at), MADV_WILLNEED);
    }
  }
}

void install_sigbus_handler() {
  struct sigaction action = {};
  action.sa_sigaction = on_sigbus;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

std::string read_text_file(const std::string& path, int64_t max_bytes) {
  int64_t size = 0;
  const FileDescriptor file{open_regular(path, &size)};
  if (size > max_bytes) {
    fail(ErrorKind::kBadInput, path, ": ", size, " bytes, expected at most ", max_bytes);
  }
  std::string text(static_cast<size_t>(size), '\0');
  int64_t done = 0;
  while (done < size) {
    const ssize_t n = read(file.fd, &text[done], static_cast<size_t>(size - done));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      fail(ErrorKind::kBadInput, path, ": cannot read byte ", done, " of ", size, ": ",
           n < 0 ? std::strerror(errno) : "the file became shorter");
    }
    done += n;
  }
  return text;
}

bool file_exists(const std::string& path) {
  struct stat st;
  return stat(path.c_str(), &st) == 0;
}

bool is_directory(const std::string& path) {
  struct stat st;
  return stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

}  // namespace ember
