// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/signals.h"

#include <signal.h>
#include <unistd.h>

#include <initializer_list>

namespace ember {
namespace {

volatile sig_atomic_t g_pending = 0;
struct sigaction g_before[2];

void note(int signal) {
  if (g_pending == SIGINT && signal == SIGINT) {
    _exit(128 + SIGINT);
  }
  g_pending = signal;
}

}  // namespace

SignalGuard::SignalGuard() {
  g_pending = 0;
  struct sigaction action = {};
  action.sa_handler = note;
  sigemptyset(&action.sa_mask);  // no SA_RESTART: a blocked read must return
  sigaction(SIGINT, &action, &g_before[0]);
  sigaction(SIGTERM, &action, &g_before[1]);
}

SignalGuard::~SignalGuard() {
  sigaction(SIGINT, &g_before[0], nullptr);
  sigaction(SIGTERM, &g_before[1], nullptr);
}

int SignalGuard::pending() {
  return g_pending;
}
void SignalGuard::check() {
  if (g_pending != 0) {
    throw Interrupted(g_pending);
  }
}
void SignalGuard::clear() {
  g_pending = 0;
}

}  // namespace ember
