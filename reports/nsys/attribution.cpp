// SPDX-License-Identifier: Apache-2.0
#include "reports/nsys/attribution.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "kernels/base/error.h"

namespace ember::report::nsys {
namespace {

struct Sum {
  int64_t kernels = 0;
  double total = 0;
  int64_t first = std::numeric_limits<int64_t>::max();
  int64_t last = std::numeric_limits<int64_t>::min();

  void add(const Sum& o) {
    kernels += o.kernels;
    total += o.total;
    first = std::min(first, o.first);
    last = std::max(last, o.last);
  }
};

struct Open {
  int64_t end = 0;
  int32_t path = 0;
  std::map<int32_t, Sum> sums;  // by device
};

// Walks the ranges and calls of one thread after another, in the order of time.
class Sweep {
 public:
  Sweep(Trace* trace, Attribution* out) : trace_(*trace), out_(*out) {
    std::sort(trace_.ranges.begin(), trace_.ranges.end(), [](const Range& a, const Range& b) {
      // What starts together: the longer one is the outer one.
      return std::tie(a.thread, a.start, b.end) < std::tie(b.thread, b.start, a.end);
    });
    std::sort(trace_.calls.begin(), trace_.calls.end(), [](const Call& a, const Call& b) {
      return std::tie(a.thread, a.start) < std::tie(b.thread, b.start);
    });
    std::sort(trace_.kernels.begin(), trace_.kernels.end(), before);
    claimed_.assign(trace_.kernels.size(), false);
  }

  void run() {
    auto call = trace_.calls.begin();
    for (auto range = trace_.ranges.begin(); range != trace_.ranges.end();) {
      const int64_t thread = range->thread;
      for (; call != trace_.calls.end() && call->thread < thread; ++call) {
        launch(*call);  // a thread without ranges
      }
      for (; range != trace_.ranges.end() && range->thread == thread; ++range) {
        for (; call != trace_.calls.end() && call->thread == thread && call->start < range->start;
             ++call) {
          launch(*call);
        }
        open(*range);
      }
      for (; call != trace_.calls.end() && call->thread == thread; ++call) {
        launch(*call);
      }
      close(std::numeric_limits<int64_t>::max());
    }
    for (; call != trace_.calls.end(); ++call) {
      launch(*call);
    }
    for (size_t i = 0; i < claimed_.size(); ++i) {
      if (!claimed_[i]) {
        ++out_.launches_missing;
        count_outside(trace_.kernels[i]);
      }
    }
  }

 private:
  static bool before(const Kernel& a, const Kernel& b) {
    return std::tie(a.process, a.correlation, a.start) <
           std::tie(b.process, b.correlation, b.start);
  }

  int32_t path_of(int32_t parent, int32_t name, bool nests) {
    const auto [at, fresh] = index_.try_emplace({parent, name, nests}, int32_t(out_.paths.size()));
    if (fresh) {
      PathTimes p;
      p.parent = parent;
      p.name = trace_.names[static_cast<size_t>(name)];
      p.nests = nests;
      p.depth = parent < 0 ? 0 : path(parent).depth + 1;
      if (p.depth >= kMaxDepth) {
        fail(ErrorKind::kBadInput, "ranges nest deeper than ", kMaxDepth, " levels, at '", p.name,
             "'");
      }
      out_.paths.push_back(std::move(p));
    }
    return at->second;
  }

  void open(const Range& r) {
    close(r.start);
    const bool inside = r.nests && !stack_.empty();
    Open o;
    o.path = path_of(inside ? stack_.back().path : -1, r.name, r.nests);
    // A range cannot outlive the one that it was pushed in.
    o.end = inside ? std::min(r.end, stack_.back().end) : r.end;
    ++path(o.path).ranges;
    (r.nests ? stack_ : spans_).push_back(std::move(o));
  }

  PathTimes& path(int32_t i) { return out_.paths[static_cast<size_t>(i)]; }

  // Ends what ended at `now` or before.
  void close(int64_t now) {
    while (!stack_.empty() && stack_.back().end <= now) {
      const Open done = std::move(stack_.back());
      stack_.pop_back();
      note(done);
      if (!stack_.empty()) {
        for (const auto& [device, sum] : done.sums) {
          stack_.back().sums[device].add(sum);
        }
      }
    }
    const auto ended = std::stable_partition(spans_.begin(), spans_.end(),
                                             [now](const Open& o) { return o.end > now; });
    std::for_each(ended, spans_.end(), [this](const Open& o) { note(o); });
    spans_.erase(ended, spans_.end());
  }

  void note(const Open& done) {
    for (const auto& [device, sum] : done.sums) {
      OnDevice& d = path(done.path).devices[device];
      d.kernels += sum.kernels;
      d.total += sum.total;
      d.times.push_back(sum.total);
      d.spans.push_back(static_cast<double>(sum.last - sum.first));
    }
  }

  void launch(const Call& call) {
    close(call.start);
    Kernel key;
    key.process = call.process;
    key.correlation = call.correlation;
    key.start = std::numeric_limits<int64_t>::min();
    for (auto k = std::lower_bound(trace_.kernels.begin(), trace_.kernels.end(), key, before);
         k != trace_.kernels.end() && k->process == call.process &&
         k->correlation == call.correlation;
         ++k) {
      const size_t i = static_cast<size_t>(k - trace_.kernels.begin());
      if (claimed_[i]) {
        return;  // a call that is in the export twice
      }
      claimed_[i] = true;
      if (stack_.empty()) {
        count_outside(*k);
      } else {
        count(*k, &stack_.back());
        out_.totals[k->device] += duration(*k);
      }
      for (Open& o : spans_) {
        count(*k, &o);
      }
    }
  }

  static double duration(const Kernel& k) { return static_cast<double>(k.end - k.start); }

  void count(const Kernel& k, Open* in) {
    in->sums[k.device].add({1, duration(k), k.start, k.end});
    path(in->path).kernels[{k.device, k.name}].push_back(duration(k));
  }

  void count_outside(const Kernel& k) {
    OnDevice& d = out_.outside.devices[k.device];
    ++d.kernels;
    d.total += duration(k);
    out_.outside.kernels[{k.device, k.name}].push_back(duration(k));
    out_.totals[k.device] += duration(k);
  }

  Trace& trace_;
  Attribution& out_;
  std::vector<bool> claimed_;
  std::vector<Open> stack_;  // each ends no later than the one below it
  std::vector<Open> spans_;
  std::map<std::tuple<int32_t, int32_t, bool>, int32_t> index_;
};

// Children behind their parents, in the order in which they first came.
void order(Attribution* a) {
  const size_t n = a->paths.size();
  std::vector<std::vector<int32_t>> children(n + 1);
  for (size_t i = 0; i < n; ++i) {
    children[static_cast<size_t>(a->paths[i].parent + 1)].push_back(static_cast<int32_t>(i));
  }
  std::vector<PathTimes> walked;
  walked.reserve(n);
  std::vector<std::pair<int32_t, int32_t>> todo;  // path, its parent's new place
  const auto add = [&](int32_t of, int32_t place) {
    const auto& list = children[static_cast<size_t>(of + 1)];
    for (auto i = list.rbegin(); i != list.rend(); ++i) {
      todo.emplace_back(*i, place);
    }
  };
  add(-1, -1);
  while (!todo.empty()) {
    const auto [from, parent] = todo.back();
    todo.pop_back();
    walked.push_back(std::move(a->paths[static_cast<size_t>(from)]));
    walked.back().parent = parent;
    add(from, static_cast<int32_t>(walked.size()) - 1);
  }
  a->paths = std::move(walked);
}

}  // namespace

std::string Attribution::path(const PathTimes& p) const {
  std::string text = p.name;
  for (int32_t i = p.parent; i >= 0; i = paths[static_cast<size_t>(i)].parent) {
    text = paths[static_cast<size_t>(i)].name + "/" + text;
  }
  return text;
}

Attribution attribute(Trace* trace) {
  Attribution a;
  a.outside.name = "(no range)";
  Sweep(trace, &a).run();
  order(&a);
  return a;
}

}  // namespace ember::report::nsys
