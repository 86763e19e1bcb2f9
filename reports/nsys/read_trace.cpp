// SPDX-License-Identifier: Apache-2.0
// The tables of an export that are read here, and what differs between versions of them:
// NVTX_EVENTS (text in place of textId; 0 in place of NULL), StringIds,
// CUPTI_ACTIVITY_KIND_RUNTIME (driver calls too), _KERNEL (globalPid, demangledName absent),
// _GRAPH_TRACE, TARGET_INFO_GPU, _CUDA_DEVICE, _SESSION_START_TIME. Tables are made when their
// first row comes.
#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <unordered_map>

#include "engine/io/json.h"
#include "kernels/base/error.h"
#include "reports/nsys/database.h"
#include "reports/nsys/trace.h"

namespace ember::report::nsys {
namespace {

const char* const kRanges = "NVTX_EVENTS";
const char* const kCalls = "CUPTI_ACTIVITY_KIND_RUNTIME";
const char* const kKernels = "CUPTI_ACTIVITY_KIND_KERNEL";
const char* const kGraphs = "CUPTI_ACTIVITY_KIND_GRAPH_TRACE";
const char* const kOwnDomain = "ember";  // kernels/base/profile.cpp creates it

enum EventType { kPushPop = 59, kStartEnd = 60, kDomainCreate = 75 };

// The process of a thread: what stands above the thread's 24 bits.
int64_t process_of(int64_t thread) {
  return static_cast<int64_t>(static_cast<uint64_t>(thread) >> 24);
}

template <class... Parts>
std::string words(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

class Reader {
 public:
  Reader(const std::string& path, const TraceOptions& options) : db_(path), options_(options) {}

  Trace read() {
    need("StringIds", "this is a database of something else");
    if (!db_.has(kKernels) && !db_.has(kGraphs)) {
      fail_without("kernels");
    }
    need(kCalls, "no CUDA calls were recorded; record with `nsys profile --trace cuda,nvtx`");
    need(kRanges,
         "no NVTX ranges were recorded; record with `nsys profile --trace cuda,nvtx`, and a build "
         "that has ranges (docs/profiling.md)");
    read_strings();
    read_kernels();
    read_graphs();
    if (trace_.kernels.empty()) {
      fail_without("kernels");
    }
    read_calls();
    find_domains();
    read_ranges();
    read_devices();
    read_start();
    return std::move(trace_);
  }

 private:
  using Domain = std::pair<int64_t, int64_t>;  // process, id

  void need(const std::string& table, const char* otherwise) {
    if (!db_.has(table)) {
      fail(ErrorKind::kBadInput, db_.path(), ": no table ", table, ": ", otherwise);
    }
  }
  void fail_without(const char* what) {
    fail(ErrorKind::kBadInput, db_.path(), ": no CUDA ", what,
         " were recorded; record a run on a GPU with `nsys profile --trace cuda,nvtx` "
         "(docs/profiling.md)");
  }

  void read_strings() {
    for (Rows r(db_, "StringIds", {"id", "value"}); r.next();) {
      strings_.emplace(r.integer(0), r.text_or_empty(1));
    }
  }

  int32_t intern(const std::string& name) {
    const auto [at, fresh] = names_.try_emplace(name, static_cast<int32_t>(trace_.names.size()));
    if (fresh) {
      trace_.names.push_back(name);
    }
    return at->second;
  }

  // The text of a column that holds it, or the number of a string. Null where there is none.
  const std::string* string_of(const Rows& r, int column) {
    if (r.is_text(column)) {
      inline_ = r.text_or_empty(column);
      return inline_.empty() ? nullptr : &inline_;
    }
    const auto id = r.integer_or_null(column);
    if (!id) {
      return nullptr;
    }
    const auto at = strings_.find(*id);
    if (at == strings_.end()) {
      if (*id == 0) {
        return nullptr;  // older exports have 0 for none
      }
      r.fail(column, "no string ", *id, " in StringIds");
    }
    return &at->second;
  }

  static int64_t time(const Rows& r, int column) {
    const int64_t t = r.integer(column);
    if (t < -kMaxTime || t > kMaxTime) {
      r.fail(column, t, " ns, expected within 2^53 of 0");
    }
    return t;
  }

  // Columns 0 and 1 hold start and end, 2 the device, 3 the correlation, 4 the process. False
  // where the driver could not tell the time.
  bool read_activity(const Rows& r, bool with_process, Kernel* k) {
    k->start = time(r, 0);
    k->end = time(r, 1);
    if (k->end < k->start) {
      r.fail(1, "ends at ", k->end, ", before its start at ", k->start);
    }
    const int64_t device = r.integer(2);
    if (device < 0 || device > INT32_MAX) {
      r.fail(2, "no device has number ", device);
    }
    k->device = static_cast<int32_t>(device);
    k->correlation = r.integer_or_null(3).value_or(-1);
    k->process = with_process ? process_of(r.integer_or_null(4).value_or(0)) : 0;
    if (k->start == 0 && k->end == 0) {
      return false;
    }
    devices_.insert(k->device);
    if (devices_.size() > kMaxDevices) {
      r.fail(2, "more than ", kMaxDevices, " devices");
    }
    return true;
  }

  void read_kernels() {
    // Where one table tells no process, kernels are found by correlation alone.
    with_process_ = (!db_.has(kKernels) || db_.has(kKernels, "globalPid")) &&
                    (!db_.has(kGraphs) || db_.has(kGraphs, "globalPid"));
    if (!db_.has(kKernels)) {
      return;
    }
    int64_t timeless = 0;
    std::unordered_map<int64_t, int32_t> labels;  // by number of the string
    for (Rows r(db_, kKernels, {"start", "end", "deviceId"},
                {"correlationId", "globalPid", "demangledName", "shortName"});
         r.next();) {
      Kernel k;
      if (!read_activity(r, with_process_, &k)) {
        ++timeless;
        continue;
      }
      const int column = r.is_text(5) || r.integer_or_null(5).value_or(0) != 0 ? 5 : 6;
      const bool numbered = !r.is_text(column) && r.integer_or_null(column);
      const auto known = numbered ? labels.find(r.integer(column)) : labels.end();
      if (known != labels.end()) {
        k.name = known->second;
      } else {
        const std::string* name = string_of(r, column);
        k.name = intern(kernel_label(name == nullptr ? "" : *name));
        if (numbered) {
          labels.emplace(r.integer(column), k.name);
        }
      }
      trace_.kernels.push_back(k);
    }
    if (timeless > 0) {
      trace_.notes.push_back(words(timeless, " kernels have no time and are left out"));
    }
  }

  void read_graphs() {
    if (!db_.has(kGraphs)) {
      return;
    }
    int64_t count = 0;
    for (Rows r(db_, kGraphs, {"start", "end", "deviceId"}, {"correlationId", "globalPid"});
         r.next();) {
      Kernel k;
      if (read_activity(r, with_process_, &k)) {
        k.name = intern("(CUDA graph)");
        trace_.kernels.push_back(k);
        ++count;
      }
    }
    if (count > 0) {
      trace_.notes.push_back(words(count,
                                   " CUDA graphs were recorded whole, gaps between their kernels "
                                   "included; `nsys profile --cuda-graph-trace node` records the "
                                   "kernels"));
    }
  }

  void read_calls() {
    for (Rows r(db_, kCalls, {"start", "globalTid", "correlationId"}); r.next();) {
      const auto correlation = r.integer_or_null(2);
      if (!correlation) {
        continue;
      }
      Call c;
      c.start = time(r, 0);
      c.thread = r.integer(1);
      c.process = with_process_ ? process_of(c.thread) : 0;
      c.correlation = *correlation;
      trace_.calls.push_back(c);
    }
  }

  Rows range_rows() {
    return Rows(
        db_, kRanges, {"start", "end", "eventType", "globalTid"},
        {"domainId", "text", "textId", "int64Value", "uint64Value", "int32Value", "uint32Value"});
  }
  static Domain domain_of(const Rows& r) {
    return {process_of(r.integer(3)), r.integer_or_null(4).value_or(0)};
  }
  static bool is_range(const Rows& r) {
    const int64_t type = r.integer(2);
    return type == kPushPop || type == kStartEnd;
  }
  const std::string* range_name(const Rows& r) {
    const std::string* inline_text = string_of(r, 5);
    return inline_text != nullptr ? inline_text : string_of(r, 6);
  }

  // Chooses the domains whose ranges count.
  void find_domains() {
    std::map<Domain, std::string> named;
    std::map<Domain, int64_t> ranges;
    for (Rows r = range_rows(); r.next();) {
      if (r.integer(2) == kDomainCreate) {
        if (const std::string* name = range_name(r)) {
          named.emplace(domain_of(r), *name);
        }
      } else if (is_range(r)) {
        ++ranges[domain_of(r)];
      }
    }
    const std::string wanted = options_.domain.value_or(kOwnDomain);
    const auto name_of = [&](const Domain& d) {
      const auto at = named.find(d);
      return at == named.end() ? "" : at->second;
    };
    const auto choose = [&](const std::string& name) {
      int64_t count = 0;
      for (const auto& [domain, n] : ranges) {
        if (name_of(domain) == name) {
          domains_.insert(domain);
          count += n;
        }
      }
      return count;
    };
    if (choose(wanted) > 0) {
      return;
    }
    // Unnamed: NVTX's own domain, or one that was created before the recording.
    const int64_t unnamed = options_.domain ? 0 : choose("");
    if (unnamed > 0) {
      trace_.notes.push_back(words("no range is in a domain named '", kOwnDomain, "': the ",
                                   unnamed, " ranges of unnamed domains are taken"));
      return;
    }
    std::map<std::string, int64_t> others;
    for (const auto& [domain, n] : ranges) {
      others[label(name_of(domain))] += n;
    }
    std::string list;
    for (const auto& [name, n] : others) {
      list += words(list.empty() ? "; --domain takes another: '" : ", '", name, "' (", n, ")");
      if (list.size() > 1000) {
        list += " ...";
        break;
      }
    }
    fail(ErrorKind::kBadInput, db_.path(), ": no ranges in the NVTX domain '", label(wanted),
         "': record with `nsys profile --trace cuda,nvtx` (docs/profiling.md)", list);
  }

  std::string with_payload(const Rows& r, const std::string& name) {
    if (std::find(options_.payload.begin(), options_.payload.end(), name) ==
        options_.payload.end()) {
      return name;
    }
    std::optional<int64_t> payload;
    for (int column = 7; column <= 10; ++column) {
      const auto v = r.integer_or_null(column);
      payload = v.value_or(0) != 0 ? v : payload ? payload : v;  // older exports: 0 for none
    }
    split_.insert(name);
    return payload ? words(name, "[", *payload, "]") : name;
  }

  void read_ranges() {
    int64_t unended = 0;
    for (Rows r = range_rows(); r.next();) {
      if (!is_range(r) || domains_.count(domain_of(r)) == 0) {
        continue;
      }
      Range range;
      range.start = time(r, 0);
      range.thread = r.integer(3);
      range.nests = r.integer(2) == kPushPop;
      const std::string* name = range_name(r);
      range.name = intern(label(name == nullptr ? "(no name)" : with_payload(r, *name)));
      const auto end = r.integer_or_null(1);
      if (!end || (*end == 0 && range.start > 0)) {
        range.end = kMaxTime;
        ++unended;
      } else {
        range.end = time(r, 1);
        if (range.end < range.start) {
          r.fail(1, "ends at ", range.end, ", before its start at ", range.start);
        }
      }
      trace_.ranges.push_back(range);
    }
    if (unended > 0) {
      trace_.notes.push_back(
          words(unended, " ranges had not ended when the recording did; they count to its end"));
    }
    for (const std::string& name : options_.payload) {
      if (split_.count(name) == 0) {
        trace_.notes.push_back(words("--payload ", label(name), ": no range has this name"));
      }
    }
  }

  // A device's number is CUDA's in its process; TARGET_INFO_CUDA_DEVICE leads from it to the GPU.
  void read_devices() {
    std::map<int64_t, int64_t> gpu_of;
    if (db_.has("TARGET_INFO_CUDA_DEVICE")) {
      for (Rows r(db_, "TARGET_INFO_CUDA_DEVICE", {}, {"cudaId", "gpuId"}); r.next();) {
        gpu_of.emplace(r.integer_or(0, -1), r.integer_or(1, -1));
      }
    }
    std::map<int64_t, Gpu> gpus;
    if (db_.has("TARGET_INFO_GPU")) {
      for (Rows r(db_, "TARGET_INFO_GPU", {},
                  {"id", "name", "totalMemory", "smCount", "l2CacheSize", "computeMajor",
                   "computeMinor"});
           r.next();) {
        Gpu g;
        g.name = r.is_text(1) ? label(r.text_or_empty(1)) : "";
        g.mem_bytes = std::clamp(r.integer_or(2, 0), int64_t{0}, kMaxJsonInteger - 1);
        g.sms = std::clamp(r.integer_or(3, 0), int64_t{0}, kMaxJsonInteger - 1);
        g.l2_bytes = std::clamp(r.integer_or(4, 0), int64_t{0}, kMaxJsonInteger - 1);
        const int64_t major = r.integer_or(5, -1), minor = r.integer_or(6, -1);
        g.cc = major < 0 || minor < 0 ? "" : words(major, ".", minor);
        gpus.emplace(r.integer_or(0, -1), g);
      }
    }
    for (const int32_t device : devices_) {
      const auto via = gpu_of.find(device);
      const auto found = gpus.find(via == gpu_of.end() ? device : via->second);
      Gpu g = found == gpus.end() ? Gpu() : found->second;
      g.index = device;
      g.name = g.name.empty() ? "unknown" : g.name;
      g.cc = g.cc.empty() ? "unknown" : g.cc;
      trace_.gpus.push_back(g);
    }
  }

  void read_start() {
    const std::string table = "TARGET_INFO_SESSION_START_TIME";
    if (!db_.has(table, "utcEpochNs")) {
      return;
    }
    Rows r(db_, table, {"utcEpochNs"});
    if (r.next() && r.integer_or(0, 0) > 0) {
      trace_.started = r.integer_or(0, 0) / 1000000000;
    }
  }

  Database db_;
  const TraceOptions& options_;
  Trace trace_;
  std::unordered_map<int64_t, std::string> strings_;
  std::unordered_map<std::string, int32_t> names_;
  std::set<int32_t> devices_;
  std::set<Domain> domains_;
  std::set<std::string> split_;
  std::string inline_;
  bool with_process_ = true;
};

}  // namespace

Trace read_trace(const std::string& path, const TraceOptions& options) {
  return Reader(path, options).read();
}

}  // namespace ember::report::nsys
