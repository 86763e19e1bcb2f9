// SPDX-License-Identifier: Apache-2.0
#include "reports/writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "kernels/base/error.h"
#include "reports/reader.h"
#include "reports/stats.h"

namespace ember::report {
namespace {

template <class T>
Json or_null(const std::optional<T>& v) {
  return v ? Json(*v) : Json(nullptr);
}

Json or_null(const std::optional<std::pair<double, double>>& v) {
  return v ? Json::array({v->first, v->second}) : Json(nullptr);
}

Json host_json(const Host& h) {
  return {{"hash", or_null(h.hash)},
          {"cpu", h.cpu},
          {"isa", h.isa},
          {"cores", h.cores},
          {"threads", h.threads},
          {"mem_bytes", h.mem_bytes},
          {"os", or_null(h.os)},
          {"kernel", or_null(h.kernel)},
          {"governor", or_null(h.governor)},
          {"numa_nodes", or_null(h.numa_nodes)},
          {"container", or_null(h.container)},
          {"load_1m", or_null(h.load_1m)}};
}

Json clock_json(const std::optional<GpuClock>& c) {
  return c ? Json{{"min", c->min}, {"median", c->median}, {"max", c->max}} : Json(nullptr);
}

Json gpu_json(const Gpu& g) {
  Json j = {{"index", g.index},
            {"uuid_hash", or_null(g.uuid_hash)},
            {"name", g.name},
            {"cc", g.cc},
            {"sms", g.sms},
            {"mem_bytes", g.mem_bytes},
            {"l2_bytes", g.l2_bytes},
            {"ecc", or_null(g.ecc)},
            {"mig", or_null(g.mig)},
            {"persistence", or_null(g.persistence)},
            {"power_limit_w", or_null(g.power_limit_w)},
            {"power_default_w", or_null(g.power_default_w)},
            {"clock_policy", g.clock_policy},
            {"sm_mhz", clock_json(g.sm_mhz)},
            {"sm_mhz_requested", or_null(g.sm_mhz_requested)},
            {"sm_mhz_limit", or_null(g.sm_mhz_limit)},
            {"mem_mhz", or_null(g.mem_mhz)},
            {"mem_mhz_seen", clock_json(g.mem_mhz_seen)},
            {"temp_start_c", or_null(g.temp_start_c)},
            {"temp_max_c", or_null(g.temp_max_c)},
            {"throttle", nullptr},
            {"other_processes", or_null(g.other_processes)},
            {"pcie", nullptr},
            {"nvlink", nullptr}};
  if (g.throttle) {
    j["throttle"] = {{"power", or_null(g.throttle->power)},
                     {"thermal", or_null(g.throttle->thermal)},
                     {"hardware", or_null(g.throttle->hardware)},
                     {"setting", or_null(g.throttle->setting)}};
  }
  if (g.pcie) {
    j["pcie"] = {{"gen", g.pcie->gen}, {"gen_max", g.pcie->gen_max}, {"width", g.pcie->width}};
  }
  if (g.nvlink) {
    j["nvlink"] = {{"links", g.nvlink->links},
                   {"gen", g.nvlink->gen},
                   {"bytes_per_s", or_null(g.nvlink->bytes_per_s)}};
  }
  return j;
}

Json env_json(const Environment& e) {
  Json j = {{"host", host_json(e.host)}, {"cuda", nullptr}, {"gpus", Json::array()}};
  if (e.cuda) {
    j["cuda"] = {{"driver", e.cuda->driver},
                 {"runtime", e.cuda->runtime},
                 {"cublas", or_null(e.cuda->cublas)}};
  }
  for (const Gpu& g : e.gpus) {
    j["gpus"].push_back(gpu_json(g));
  }
  j["profiler_attached"] = e.profiler_attached;
  if (e.slow_link) {
    j["slow_link"] = *e.slow_link;
  }
  return j;
}

Json summary_json(const Summary& s) {
  return {{"n", s.n},
          {"processes", s.processes},
          {"median", s.median},
          {"mad", s.mad},
          {"mean", s.mean},
          {"stddev", s.stddev},
          {"min", s.min},
          {"max", s.max},
          {"p90", s.p90},
          {"p99", s.p99},
          {"ci95", Json::array({s.ci95.first, s.ci95.second})}};
}

Json golden_json(const GoldenVerdict& g) {
  Json layers = Json::array();
  for (const LayerError& l : g.layers) {
    layers.push_back(
        {{"layer", l.layer}, {"tap", l.tap}, {"error", l.error}, {"limit", or_null(l.limit)}});
  }
  return {{"pass", g.pass},
          {"figure", g.figure},
          {"error", or_null(g.error)},
          {"ratio", or_null(g.ratio)},
          {"limit", or_null(g.limit)},
          {"first_bad", or_null(g.first_bad)},
          {"layers", layers}};
}

Json params_json(const Params& params) {
  Json j = Json::object();
  for (const auto& [key, value] : params) {
    std::visit([&j, &key = key](const auto& v) { j[key] = v; }, value);
    // Whole numbers as integers: 1024, not 1024.0.
    if (const auto* d = std::get_if<double>(&value);
        d != nullptr && *d == std::floor(*d) && std::fabs(*d) < 9e15) {
      j[key] = static_cast<int64_t>(*d);
    }
  }
  return j;
}

Json samples_json(const Case& c) {
  Json out = Json::array();
  for (const Samples& s : c.samples) {
    out.push_back({{"process", s.process},
                   {"order", s.order},
                   {"clock_mhz", or_null(s.clock_mhz)},
                   {"values", s.values}});
  }
  return out;
}

// Fields that only some kinds of case have.
Json kernel_json(const KernelResources& k) {
  Json j = {{"registers", or_null(k.registers)},
            {"shared_bytes", or_null(k.shared_bytes)},
            {"spill_bytes", or_null(k.spill_bytes)}};
  for (const KernelLaunch& l : k.launches) {
    j["launches"].push_back({{"kernel", l.kernel},
                             {"registers", or_null(l.registers)},
                             {"shared_bytes", or_null(l.shared_bytes)},
                             {"spill_bytes", or_null(l.spill_bytes)},
                             {"threads", or_null(l.threads)},
                             {"blocks", or_null(l.blocks)}});
  }
  return j;
}

void add_details(const Case& c, Json* j) {
  if (c.kernel) {
    (*j)["kernel"] = kernel_json(*c.kernel);
  }
  for (const Stage& s : c.stages) {
    (*j)["stages"].push_back({{"stage", s.stage},
                              {"device", s.device},
                              {"busy_share", or_null(s.busy_share)},
                              {"bubble_share", or_null(s.bubble_share)},
                              {"hop_s", or_null(s.hop_s)}});
  }
  if (c.output_sha256) {
    (*j)["output_sha256"] = *c.output_sha256;
  }
  if (c.golden) {
    (*j)["golden"] = golden_json(*c.golden);
  }
}

Json case_json(const Case& c) {
  Json j = {{"id", c.id},
            {"kind", name(c.kind)},
            {"params", params_json(c.params)},
            {"status", name(c.status)},
            {"reason", c.status == Status::kOk ? Json(nullptr) : Json(c.reason)},
            {"verified", or_null(c.verified)},
            {"metric", name(c.metric)},
            {"unit", unit(c.metric)},
            {"better", name(c.better)},
            {"gate", c.gate},
            {"samples", samples_json(c)},
            {"excluded", {{"warmup", c.excluded_warmup}, {"throttled", c.excluded_throttled}}},
            {"stop", or_null(c.stop)},
            {"summary", c.samples.empty() ? Json(nullptr) : summary_json(summarise(c.samples))},
            {"work", nullptr},
            {"ceiling", nullptr}};
  if (c.work) {
    j["work"] = {{"bytes", or_null(c.work->bytes)},
                 {"flops", or_null(c.work->flops)},
                 {"tokens", or_null(c.work->tokens)}};
  }
  if (c.ceiling) {
    j["ceiling"] = {{"ref", c.ceiling->ref}, {"share", c.ceiling->share}};
  }
  add_details(c, &j);
  return j;
}

Json build(const Report& r) {
  const Subject& s = r.subject;
  Json j = {{"schema", {{"name", "ember.report"}, {"version", kReportVersion}}},
            {"run",
             {{"id", r.run.id},
              {"started", r.run.started},
              {"wall_s", r.run.wall_s},
              {"command", r.run.command},
              {"profile", or_null(r.run.profile)},
              {"status", r.run.status},
              {"group", or_null(r.run.group)}}},
            {"subject",
             {{"version", s.version},
              {"commit", s.commit},
              {"dirty", s.dirty},
              {"binary_sha256", or_null(s.binary_sha256)},
              {"build",
               {{"type", s.build_type},
                {"compiler", s.compiler},
                {"cuda_compiler", or_null(s.cuda_compiler)},
                {"cuda_arch", s.cuda_arch},
                {"sanitizers", s.sanitizers}}}}},
            {"env", env_json(r.env)},
            {"model", nullptr},
            {"ceilings", Json::array()},
            {"cases", Json::array()}};
  if (r.model) {
    j["model"] = {{"name", r.model->name},
                  {"dtype", r.model->dtype},
                  {"weights_sha256", or_null(r.model->weights_sha256)},
                  {"config_sha256", or_null(r.model->config_sha256)},
                  {"tokenizer_sha256", or_null(r.model->tokenizer_sha256)}};
  }
  for (const Ceiling& c : r.ceilings) {
    j["ceilings"].push_back({{"id", c.id},
                             {"device", c.device},
                             {"kind", c.kind},
                             {"value", c.value},
                             {"unit", c.unit},
                             {"ci95", or_null(c.ci95)},
                             {"method", c.method}});
  }
  for (const Case& c : r.cases) {
    j["cases"].push_back(case_json(c));
  }
  return j;
}

// mkstemp makes files private to the user; a result should obey the umask as any other file.
void apply_umask(int fd) {
  const mode_t mask = umask(0);
  umask(mask);
  fchmod(fd, 0666 & ~mask);
}

bool write_all(int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return false;
    }
    done += static_cast<size_t>(n);
  }
  return fsync(fd) == 0;
}

}  // namespace

std::string dump_report(const Json& document) {
  const auto text = [](const Json& j) {
    return j.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  std::string out = "{";
  for (const auto& [key, value] : document.items()) {
    out += (out.size() > 1 ? ",\n" : "\n") + text(Json(key)) + ": ";
    if (!value.is_array() || value.empty()) {
      out += text(value);
      continue;
    }
    for (size_t i = 0; i < value.size(); ++i) {
      out += (i == 0 ? "[\n  " : ",\n  ") + text(value[i]);
    }
    out += "\n]";
  }
  return out + "\n}\n";
}

Json to_json(const Report& r) {
  const std::string text = dump_report(build(r));
  try {
    // NaN and infinity were dumped as null, which the schema refuses, naming the field.
    parse_report(text, "report");
  } catch (const Error& e) {
    fail(ErrorKind::kInternal, "a report that breaks its own schema: ", e.what());
  }
  return Json::parse(text);
}

void write_file_atomically(const std::string& path, const std::string& text) {
  std::string temporary = path + ".XXXXXX";
  const int fd = mkstemp(&temporary[0]);
  if (fd < 0) {
    fail(ErrorKind::kUsage, path, ": cannot create the file: ", std::strerror(errno));
  }
  apply_umask(fd);
  bool fine = write_all(fd, text);
  int error = errno;
  fine = close(fd) == 0 && fine;
  if (fine && std::rename(temporary.c_str(), path.c_str()) != 0) {
    fine = false;
    error = errno;
  }
  if (!fine) {
    unlink(temporary.c_str());
    fail(ErrorKind::kUsage, path, ": cannot write: ", std::strerror(error));
  }
}

void write_report(const std::string& path, const Report& r) {
  write_file_atomically(path, dump_report(to_json(r)));
}

}  // namespace ember::report
