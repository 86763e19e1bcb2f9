// SPDX-License-Identifier: Apache-2.0
#include "reports/history.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <ostream>

#include "engine/io/json.h"
#include "engine/io/mmap_file.h"
#include "kernels/base/error.h"
#include "reports/format.h"
#include "reports/reader.h"
#include "reports/stats.h"

namespace ember::report {
namespace {

template <class E>
E named(const JsonNode& node, int count) {
  for (int i = 0; i < count; ++i) {
    if (node.string() == name(static_cast<E>(i))) {
      return static_cast<E>(i);
    }
  }
  node.fail("unknown: ", node.describe());
}

HistoryEntry read_entry(const JsonNode& root) {
  if (root.at("schema").string() != "ember.history/1") {
    root.at("schema").fail("expected 'ember.history/1', got ", root.at("schema").describe());
  }
  HistoryEntry e;
  e.run = root.at("run").string();
  e.started = root.at("started").string();
  e.commit = root.at("commit").string();
  e.fingerprint = root.at("fingerprint").string();
  e.dirty = root.at("dirty").boolean();
  const JsonNode cases = root.at("cases");
  for (const auto& [id, ignored] : cases.object().value().items()) {
    const JsonNode c = cases.at(id);
    HistoryPoint p;
    p.median = c.at("median").number();
    p.mad = c.at("mad").number();
    p.metric = named<Metric>(c.at("metric"), 12);
    p.kind = named<Kind>(c.at("kind"), 6);
    e.cases[id] = p;
  }
  return e;
}

class LockedFile {
 public:
  explicit LockedFile(const std::string& path) : path_(path) {
    fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd_ < 0 || flock(fd_, LOCK_EX) != 0) {
      const int error = errno;
      if (fd_ >= 0) {
        close(fd_);
      }
      fail(ErrorKind::kUsage, path, ": cannot open to append: ", std::strerror(error));
    }
  }
  ~LockedFile() { close(fd_); }
  LockedFile(const LockedFile&) = delete;
  LockedFile& operator=(const LockedFile&) = delete;

  void append(const std::string& line) {
    if (write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
        fsync(fd_) != 0) {
      fail(ErrorKind::kUsage, path_, ": cannot append: ", std::strerror(errno));
    }
  }

 private:
  std::string path_;
  int fd_;
};

}  // namespace

HistoryEntry history_entry(const Report& r) {
  HistoryEntry e{r.run.id, r.run.started, r.subject.commit, fingerprint(r), r.subject.dirty, {}};
  for (const Case& c : r.cases) {
    if ((c.status == Status::kOk || c.status == Status::kNoisy) && !c.samples.empty()) {
      const std::vector<double> medians = process_medians(c);
      e.cases[c.id] = {median(medians), summarise(c.samples).mad, c.metric, c.kind};
    }
  }
  return e;
}

Json to_json(const HistoryEntry& e) {
  Json cases = Json::object();
  for (const auto& [id, p] : e.cases) {
    cases[id] = {
        {"median", p.median}, {"mad", p.mad}, {"metric", name(p.metric)}, {"kind", name(p.kind)}};
  }
  return {{"schema", "ember.history/1"},
          {"run", e.run},
          {"started", e.started},
          {"commit", e.commit},
          {"dirty", e.dirty},
          {"fingerprint", e.fingerprint},
          {"cases", cases}};
}

std::vector<HistoryEntry> parse_history(std::string_view text, const std::string& where) {
  std::vector<HistoryEntry> out;
  int64_t line = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    ++line;
    if (end > at) {
      const JsonDocument document(text.substr(at, end - at),
                                  where + ": line " + std::to_string(line),
                                  static_cast<int64_t>(at));
      out.push_back(read_entry(document.root()));
    }
    at = end + 1;
  }
  return out;
}

std::vector<HistoryEntry> read_history(const std::string& path) {
  const std::string text = read_text_file(path, kMaxReportBytes);
  return parse_history(text, path);
}

void append_history(const std::string& path, const HistoryEntry& e) {
  LockedFile file(path);
  for (const HistoryEntry& old : read_history(path)) {
    if (old.run == e.run) {
      fail(ErrorKind::kUsage, path, ": run ", printable(e.run), " is in it already");
    }
  }
  file.append(to_json(e).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::vector<NoiseFloor> noise_floors(const std::vector<HistoryEntry>& entries) {
  // Each run against the one before it of the same commit on the same machine.
  std::map<std::string, std::vector<double>> differences;
  std::map<std::string, const HistoryEntry*> last;
  for (const HistoryEntry& e : entries) {
    const HistoryEntry*& before = last[e.commit + "\n" + e.fingerprint];
    if (before != nullptr && !e.dirty) {
      for (const auto& [id, p] : e.cases) {
        const auto it = before->cases.find(id);
        if (it != before->cases.end() && it->second.median > 0 && p.median > 0) {
          differences[name(p.kind)].push_back(std::fabs(std::log(p.median / it->second.median)));
        }
      }
    }
    before = &e;
  }
  std::vector<NoiseFloor> out;
  for (const auto& [kind, d] : differences) {
    if (d.size() >= 3) {
      // 1.4826: from the median of |d| to a standard deviation of a normal.
      out.push_back({kind, 3 * 1.4826 * median(d), static_cast<int64_t>(d.size())});
    }
  }
  return out;
}

void print(std::ostream& out, const std::vector<HistoryEntry>& entries, const std::string& filter) {
  std::map<std::string, std::vector<const HistoryEntry*>> by_case;
  for (const HistoryEntry& e : entries) {
    for (const auto& [id, ignored] : e.cases) {
      if (id.find(filter) != std::string::npos) {
        by_case[id].push_back(&e);
      }
    }
  }
  out << entries.size() << " runs, " << by_case.size() << " cases\n";
  for (const auto& [id, runs] : by_case) {
    out << printable(id) << "\n";
    const HistoryPoint* before = nullptr;
    const HistoryEntry* run_before = nullptr;
    for (const HistoryEntry* e : runs) {
      const HistoryPoint& p = e->cases.at(id);
      out << "  " << printable(e->started, 20) << "  " << printable(e->commit.substr(0, 12))
          << (e->dirty ? "+" : " ") << "  " << printable(e->fingerprint, 12) << "  "
          << human(p.median, unit(p.metric)) << " ± " << human(p.mad, unit(p.metric));
      // A change between machines says nothing about the code.
      if (before != nullptr && run_before->fingerprint == e->fingerprint && before->median > 0) {
        out << "  " << percent(p.median / before->median - 1, 2);
      }
      out << "\n";
      before = &p;
      run_before = e;
    }
  }
}

}  // namespace ember::report
