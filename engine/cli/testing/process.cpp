// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/testing/process.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "engine/core/clock.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

[[noreturn]] void exec_ember(const std::vector<std::string>& args,
                             const std::vector<std::string>& environment) {
  for (const std::string& e : environment) {
    putenv(const_cast<char*>(e.c_str()));
  }
  std::vector<char*> argv = {const_cast<char*>("ember")};
  for (const std::string& a : args) {
    argv.push_back(const_cast<char*>(a.c_str()));
  }
  argv.push_back(nullptr);
  execv(EMBER_BINARY, argv.data());
  _exit(127);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Appends what can be read now; false at the end of the stream.
bool drain(int fd, std::string& text) {
  char buffer[65536];
  const ssize_t n = read(fd, buffer, sizeof(buffer));
  if (n > 0) {
    text.append(buffer, static_cast<size_t>(n));
  }
  return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

}  // namespace

ProcessResult run_ember(const std::vector<std::string>& args, const ProcessOptions& options) {
  int in[2], out[2], err[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
    fail(ErrorKind::kInternal, "pipe failed");
  }
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    exec_ember(args, options.environment);
  }
  close(in[0]);
  close(out[1]);
  close(err[1]);
  struct sigaction ignore = {}, before = {};  // the process may end without reading its input
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  ssize_t written = 0;
  for (size_t done = 0; done < options.input.size() && written >= 0;) {
    written = write(in[1], options.input.data() + done, options.input.size() - done);
    done += written > 0 ? static_cast<size_t>(written) : 0;
  }
  close(in[1]);
  sigaction(SIGPIPE, &before, nullptr);

  ProcessResult result;
  bool out_open = true, err_open = true, called = !options.during;
  const double start = now_seconds();
  while (out_open || err_open) {
    pollfd fds[2] = {{out_open ? out[0] : -1, POLLIN, 0}, {err_open ? err[0] : -1, POLLIN, 0}};
    poll(fds, 2, 50);
    if (fds[0].revents != 0) {
      out_open = drain(out[0], result.out);
    }
    if (fds[1].revents != 0) {
      err_open = drain(err[0], result.err);
    }
    if (!called && result.out.size() >= options.after_bytes) {
      called = true;
      options.during(pid);
    }
    if (now_seconds() - start > options.limit_seconds) {
      kill(pid, SIGKILL);
      wait_for(pid);
      fail(ErrorKind::kTimeout, "ember ran past ", options.limit_seconds, " s; stderr:\n",
           result.err);
    }
  }
  close(out[0]);
  close(err[0]);
  result.exit_code = wait_for(pid);
  return result;
}

ProcessResult run_ember_on_terminal(const std::vector<std::string>& args,
                                    const std::vector<std::pair<std::string, std::string>>& script,
                                    double limit_seconds,
                                    const std::vector<std::string>& environment) {
  int terminal = -1;
  winsize size = {24, 200, 0, 0};
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, &size);
  if (pid == 0) {
    std::vector<std::string> all = {"TERM=xterm", "LC_ALL=C.UTF-8"};
    all.insert(all.end(), environment.begin(), environment.end());
    exec_ember(args, all);
  }
  ProcessResult result;
  if (pid < 0) {
    fail(ErrorKind::kInternal, "forkpty failed");
  }
  size_t step = 0, seen = 0;
  const double start = now_seconds();
  for (bool open = true; open;) {
    pollfd fd = {terminal, POLLIN, 0};
    if (poll(&fd, 1, 50) > 0) {
      open = drain(terminal, result.out);
    }
    if (step < script.size()) {
      const size_t at = result.out.find(script[step].first, seen);
      if (at != std::string::npos) {
        seen = at + script[step].first.size();
        const std::string& keys = script[step].second;
        if (write(terminal, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) {
          fail(ErrorKind::kInternal, "cannot type into the terminal");
        }
        ++step;
      }
    }
    if (now_seconds() - start > limit_seconds) {
      kill(pid, SIGKILL);
      wait_for(pid);
      fail(ErrorKind::kTimeout, "ember ran past ", limit_seconds, " s at step ", step,
           "; output:\n", result.out);
    }
  }
  close(terminal);
  result.exit_code = wait_for(pid);
  if (step != script.size()) {
    fail(ErrorKind::kInternal, "ember ended before step ", step, "; output:\n", result.out);
  }
  return result;
}

}  // namespace ember
