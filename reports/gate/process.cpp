// SPDX-License-Identifier: Apache-2.0
#include "reports/gate/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "kernels/base/error.h"

namespace ember::report {
namespace {

constexpr int kCannotStart = 127;

// Between fork and exec: only what is safe there.
[[noreturn]] void become(char* const* argv, int log) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpgid(0, 0);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(log, 1);
  dup2(log, 2);
  execvp(argv[0], argv);
  _exit(kCannotStart);
}

}  // namespace

int run_process(const std::vector<std::string>& command, const std::string& log, double limit_s,
                const std::function<bool()>& stop) {
  std::vector<std::string> copy = command;
  std::vector<char*> argv;
  for (std::string& s : copy) {
    argv.push_back(&s[0]);
  }
  argv.push_back(nullptr);
  const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    fail(ErrorKind::kUsage, log, ": cannot create the file: ", std::strerror(errno));
  }
  const pid_t pid = fork();
  if (pid == 0) {
    become(argv.data(), fd);
  }
  close(fd);
  if (pid < 0) {
    fail(ErrorKind::kInternal, "fork: ", std::strerror(errno));
  }
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(limit_s);
  auto killed_at = Clock::time_point::max();
  int status = 0;
  auto pause = std::chrono::milliseconds(1);
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (stop && killed_at == Clock::time_point::max() && stop()) {
      kill(-pid, SIGTERM);
      killed_at = Clock::now() + std::chrono::seconds(5);
    } else if (Clock::now() >= killed_at) {
      kill(-pid, SIGKILL);
    }
    if (Clock::now() >= end) {
      kill(-pid, SIGKILL);
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      fail(ErrorKind::kTimeout, command[0], " ran longer than ", limit_s, " s; its output is in ",
           log);
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(50));
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (code == kCannotStart) {
    fail(ErrorKind::kUsage, command[0], ": cannot be started");
  }
  return code;
}

}  // namespace ember::report
