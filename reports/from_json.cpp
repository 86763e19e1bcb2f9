// SPDX-License-Identifier: Apache-2.0
// From a document that passed the schema to the model. Required fields are there and have their
// types; the others may be absent or null.
#include "reports/from_json.h"

#include "kernels/base/error.h"

namespace ember::report {
namespace {

using nlohmann::json;

template <class E>
E from_name(const std::string& text, int count) {
  for (int i = 0; i < count; ++i) {
    if (text == name(static_cast<E>(i))) {
      return static_cast<E>(i);
    }
  }
  fail(ErrorKind::kInternal, "the schema allows '", text, "', the model does not know it");
}

const json* found(const json& j, const char* key) {
  const auto it = j.find(key);
  return it == j.end() || it->is_null() ? nullptr : &*it;
}

template <class T>
void read(const json& j, const char* key, T* out) {
  if (const json* v = found(j, key)) {
    *out = v->get<T>();
  }
}

// Integers may be written 3.0.
void read(const json& j, const char* key, int64_t* out) {
  if (const json* v = found(j, key)) {
    *out = static_cast<int64_t>(v->get<double>());
  }
}

template <class T>
void read(const json& j, const char* key, std::optional<T>* out) {
  if (found(j, key) != nullptr) {
    out->emplace();
    read(j, key, &**out);
  }
}

void read(const json& j, const char* key, std::optional<std::pair<double, double>>* out) {
  if (const json* v = found(j, key)) {
    *out = std::make_pair(v->at(0).get<double>(), v->at(1).get<double>());
  }
}

void read_host(const json& j, Host* h) {
  read(j, "hash", &h->hash);
  read(j, "os", &h->os);
  read(j, "kernel", &h->kernel);
  read(j, "governor", &h->governor);
  read(j, "numa_nodes", &h->numa_nodes);
  read(j, "cpu", &h->cpu);
  read(j, "isa", &h->isa);
  read(j, "cores", &h->cores);
  read(j, "threads", &h->threads);
  read(j, "mem_bytes", &h->mem_bytes);
  read(j, "container", &h->container);
  read(j, "load_1m", &h->load_1m);
}

void read(const json& j, const char* key, std::optional<GpuClock>* out) {
  if (const json* v = found(j, key)) {
    out->emplace();
    read(*v, "min", &(*out)->min);
    read(*v, "median", &(*out)->median);
    read(*v, "max", &(*out)->max);
  }
}

void read_gpu_state(const json& j, Gpu* g) {
  read(j, "sm_mhz", &g->sm_mhz);
  read(j, "mem_mhz_seen", &g->mem_mhz_seen);
  if (const json* v = found(j, "throttle")) {
    g->throttle.emplace();
    read(*v, "power", &g->throttle->power);
    read(*v, "thermal", &g->throttle->thermal);
    read(*v, "hardware", &g->throttle->hardware);
    read(*v, "setting", &g->throttle->setting);
  }
  if (const json* v = found(j, "pcie")) {
    g->pcie.emplace();
    read(*v, "gen", &g->pcie->gen);
    read(*v, "gen_max", &g->pcie->gen_max);
    read(*v, "width", &g->pcie->width);
  }
  if (const json* v = found(j, "nvlink")) {
    g->nvlink.emplace();
    read(*v, "links", &g->nvlink->links);
    read(*v, "gen", &g->nvlink->gen);
    read(*v, "bytes_per_s", &g->nvlink->bytes_per_s);
  }
}

Gpu read_gpu(const json& j) {
  Gpu g;
  read(j, "index", &g.index);
  read(j, "sms", &g.sms);
  read(j, "mem_bytes", &g.mem_bytes);
  read(j, "l2_bytes", &g.l2_bytes);
  read(j, "name", &g.name);
  read(j, "cc", &g.cc);
  read(j, "clock_policy", &g.clock_policy);
  read(j, "uuid_hash", &g.uuid_hash);
  read(j, "ecc", &g.ecc);
  read(j, "mig", &g.mig);
  read(j, "persistence", &g.persistence);
  read(j, "power_limit_w", &g.power_limit_w);
  read(j, "power_default_w", &g.power_default_w);
  read(j, "sm_mhz_requested", &g.sm_mhz_requested);
  read(j, "sm_mhz_limit", &g.sm_mhz_limit);
  read(j, "mem_mhz", &g.mem_mhz);
  read(j, "temp_start_c", &g.temp_start_c);
  read(j, "temp_max_c", &g.temp_max_c);
  read(j, "other_processes", &g.other_processes);
  read_gpu_state(j, &g);
  return g;
}

Environment read_env(const json& j) {
  Environment e;
  read_host(j.at("host"), &e.host);
  if (const json* v = found(j, "cuda")) {
    e.cuda.emplace();
    read(*v, "driver", &e.cuda->driver);
    read(*v, "runtime", &e.cuda->runtime);
    read(*v, "cublas", &e.cuda->cublas);
  }
  for (const json& g : j.at("gpus")) {
    e.gpus.push_back(read_gpu(g));
  }
  read(j, "profiler_attached", &e.profiler_attached);
  read(j, "slow_link", &e.slow_link);
  return e;
}

void read_run(const json& j, Run* r) {
  read(j, "id", &r->id);
  read(j, "started", &r->started);
  read(j, "wall_s", &r->wall_s);
  read(j, "command", &r->command);
  read(j, "profile", &r->profile);
  read(j, "group", &r->group);
  read(j, "status", &r->status);
}

void read_subject(const json& j, Subject* s) {
  read(j, "version", &s->version);
  read(j, "commit", &s->commit);
  read(j, "dirty", &s->dirty);
  read(j, "binary_sha256", &s->binary_sha256);
  const json& build = j.at("build");
  read(build, "type", &s->build_type);
  read(build, "compiler", &s->compiler);
  read(build, "cuda_compiler", &s->cuda_compiler);
  read(build, "cuda_arch", &s->cuda_arch);
  read(build, "sanitizers", &s->sanitizers);
}

Ceiling read_ceiling(const json& j) {
  Ceiling c;
  read(j, "id", &c.id);
  read(j, "device", &c.device);
  read(j, "kind", &c.kind);
  read(j, "value", &c.value);
  read(j, "unit", &c.unit);
  read(j, "ci95", &c.ci95);
  read(j, "method", &c.method);
  return c;
}

GoldenVerdict read_golden(const json& j) {
  GoldenVerdict g;
  read(j, "pass", &g.pass);
  read(j, "figure", &g.figure);
  read(j, "error", &g.error);
  read(j, "ratio", &g.ratio);
  read(j, "limit", &g.limit);
  read(j, "first_bad", &g.first_bad);
  for (const json& l : j.at("layers")) {
    LayerError e;
    e.layer = static_cast<int64_t>(l.at("layer").get<double>());
    read(l, "tap", &e.tap);
    read(l, "error", &e.error);
    read(l, "limit", &e.limit);
    g.layers.push_back(e);
  }
  return g;
}

void read_params(const json& j, Params* out) {
  for (const auto& [key, v] : j.items()) {
    (*out)[key] = v.is_string()    ? Param(v.get<std::string>())
                  : v.is_boolean() ? Param(v.get<bool>())
                                   : Param(v.get<double>());
  }
}

KernelResources read_kernel(const json& j) {
  KernelResources k;
  read(j, "registers", &k.registers);
  read(j, "shared_bytes", &k.shared_bytes);
  read(j, "spill_bytes", &k.spill_bytes);
  if (const json* launches = found(j, "launches")) {
    for (const json& l : *launches) {
      KernelLaunch launch;
      read(l, "kernel", &launch.kernel);
      read(l, "registers", &launch.registers);
      read(l, "shared_bytes", &launch.shared_bytes);
      read(l, "spill_bytes", &launch.spill_bytes);
      read(l, "threads", &launch.threads);
      read(l, "blocks", &launch.blocks);
      k.launches.push_back(std::move(launch));
    }
  }
  return k;
}

void read_details(const json& j, Case* c) {
  if (const json* v = found(j, "work")) {
    c->work.emplace();
    read(*v, "bytes", &c->work->bytes);
    read(*v, "flops", &c->work->flops);
    read(*v, "tokens", &c->work->tokens);
  }
  if (const json* v = found(j, "ceiling")) {
    c->ceiling.emplace();
    read(*v, "ref", &c->ceiling->ref);
    read(*v, "share", &c->ceiling->share);
  }
  if (const json* v = found(j, "kernel")) {
    c->kernel = read_kernel(*v);
  }
  if (const json* v = found(j, "stages")) {
    for (const json& s : *v) {
      Stage stage;
      read(s, "stage", &stage.stage);
      read(s, "device", &stage.device);
      read(s, "busy_share", &stage.busy_share);
      read(s, "bubble_share", &stage.bubble_share);
      read(s, "hop_s", &stage.hop_s);
      c->stages.push_back(stage);
    }
  }
  if (const json* v = found(j, "golden")) {
    c->golden = read_golden(*v);
  }
}

Case read_case(const json& j) {
  Case c;
  read(j, "id", &c.id);
  c.kind = from_name<Kind>(j.at("kind"), 6);
  read_params(j.at("params"), &c.params);
  c.status = from_name<Status>(j.at("status"), 4);
  read(j, "reason", &c.reason);
  read(j, "verified", &c.verified);
  c.metric = from_name<Metric>(j.at("metric"), 12);
  c.better = from_name<Better>(j.at("better"), 3);
  read(j, "gate", &c.gate);
  for (const json& s : j.at("samples")) {
    Samples samples;
    read(s, "process", &samples.process);
    read(s, "order", &samples.order);
    read(s, "clock_mhz", &samples.clock_mhz);
    read(s, "values", &samples.values);
    c.samples.push_back(std::move(samples));
  }
  read(j.at("excluded"), "warmup", &c.excluded_warmup);
  read(j.at("excluded"), "throttled", &c.excluded_throttled);
  read(j, "stop", &c.stop);
  read(j, "output_sha256", &c.output_sha256);
  read_details(j, &c);
  return c;
}

}  // namespace

Report report_from_json(const json& document) {
  Report r;
  read_run(document.at("run"), &r.run);
  read_subject(document.at("subject"), &r.subject);
  r.env = read_env(document.at("env"));
  if (const json* v = found(document, "model")) {
    r.model.emplace();
    read(*v, "name", &r.model->name);
    read(*v, "dtype", &r.model->dtype);
    read(*v, "weights_sha256", &r.model->weights_sha256);
    read(*v, "config_sha256", &r.model->config_sha256);
    read(*v, "tokenizer_sha256", &r.model->tokenizer_sha256);
  }
  for (const json& c : document.at("ceilings")) {
    r.ceilings.push_back(read_ceiling(c));
  }
  for (const json& c : document.at("cases")) {
    r.cases.push_back(read_case(c));
  }
  return r;
}

}  // namespace ember::report
