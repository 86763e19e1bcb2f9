// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/cli/command.h"
#include "engine/io/json.h"
#include "engine/model/inspection.h"
#include "engine/model/rope.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json optional_json(const std::optional<T>& v) {
  return v ? Json(*v) : Json(nullptr);
}

Json rope_json(const RopeConfig& r) {
  Json out = {{"type", r.yarn ? "yarn" : "default"}, {"theta", r.theta}};
  if (r.yarn) {
    out["factor"] = r.factor;
    out["attention_factor"] = r.attention_factor;
    out["beta_fast"] = r.beta_fast;
    out["beta_slow"] = r.beta_slow;
    out["original_max_position"] = r.original_max_position;
    out["truncate"] = r.truncate;
  }
  return out;
}

Json config_json(const ModelConfig& c) {
  return {{"layers", c.shape.L},
          {"hidden", c.shape.D},
          {"heads", c.shape.H},
          {"kv_heads", c.shape.K},
          {"head_dim", c.shape.E},
          {"ffn", c.shape.F},
          {"vocab", c.shape.V},
          {"tied", c.shape.tied},
          {"rms_eps", c.rms_eps},
          {"rope", rope_json(c.rope)},
          {"max_position", c.max_position},
          {"dtype", c.dtype_given ? Json(dtype_name(c.dtype)) : Json(nullptr)},
          {"eos_ids", c.eos_ids},
          {"bos_id", optional_json(c.bos_id)},
          {"pad_id", optional_json(c.pad_id)}};
}

Json generation_json(const GenerationConfig& g) {
  return {{"eos_ids", g.eos_ids},
          {"bos_id", optional_json(g.bos_id)},
          {"pad_id", optional_json(g.pad_id)},
          {"do_sample", optional_json(g.do_sample)},
          {"temperature", optional_json(g.temperature)},
          {"top_k", optional_json(g.top_k)},
          {"top_p", optional_json(g.top_p)},
          {"min_p", optional_json(g.min_p)},
          {"repetition_penalty", optional_json(g.repetition_penalty)}};
}

Json tensor_json(const InspectedTensor& t) {
  Json row = {{"name", t.name},
              {"dtype", t.dtype},
              {"shape", t.dims},
              {"bytes", t.bytes},
              {"file", t.file.empty() ? Json(nullptr) : Json(t.file)},
              {"offset", t.offset}};
  if (!t.unreadable.empty()) {
    row["unsupported"] = t.unreadable;
  }
  if (t.non_finite) {
    row["nan"] = t.non_finite->nan;
    row["infinite"] = t.non_finite->infinite;
  }
  return row;
}

void print_json(const Inspection& in) {
  Json out = {{"path", in.path}, {"kind", in.kind}, {"ok", in.problems.empty()}};
  out["config"] = in.config ? config_json(*in.config) : Json(nullptr);
  out["ignored"] = in.config ? Json(in.config->ignored) : Json::array();
  out["generation_config"] =
      in.generation && in.generation->present ? generation_json(*in.generation) : Json(nullptr);
  out["files"] = Json::array();
  for (const InspectedFile& f : in.files) {
    out["files"].push_back({{"path", f.path}, {"bytes", f.bytes}, {"metadata", f.metadata}});
  }
  out["tensors"] = Json::array();
  for (const InspectedTensor& t : in.tensors) {
    out["tensors"].push_back(tensor_json(t));
  }
  out["totals"] = {{"tensors", in.tensors.size()},
                   {"bytes", in.tensor_bytes()},
                   {"parameters", optional_json(in.parameters)}};
  out["notes"] = in.notes;
  out["problems"] = in.problems;
  // A name out of a file may hold anything that JSON allows; what it does not allow is replaced.
  std::printf("%s\n", out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void print_row(const char* name, const std::string& value) {
  std::printf("  %-22s %s\n", name, value.c_str());
}

std::string number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", v);
  return text;
}

template <class List>
std::string list_text(const List& list) {
  std::string text;
  for (const auto& v : list) {
    text += (text.empty() ? "" : ", ") + std::to_string(v);
  }
  return text.empty() ? "none" : text;
}

void print_config(const ModelConfig& c, bool verbose) {
  std::printf("config\n");
  print_row("layers", std::to_string(c.shape.L));
  print_row("hidden", std::to_string(c.shape.D));
  print_row("heads", std::to_string(c.shape.H) + " of " + std::to_string(c.shape.E) + ", " +
                         std::to_string(c.shape.K) + " for keys and values");
  print_row("ffn", std::to_string(c.shape.F));
  print_row("vocabulary", std::to_string(c.shape.V));
  print_row("head", c.shape.tied ? "tied to the embedding" : "a matrix of its own");
  print_row("rms eps", number(c.rms_eps));
  print_row("rope theta", number(c.rope.theta));
  if (c.rope.yarn) {
    print_row("rope scaling", "yarn, factor " + number(c.rope.factor) + " over " +
                                  std::to_string(c.rope.original_max_position) +
                                  ", attention factor " + number(c.rope.attention_factor));
    if (verbose) {
      print_row("  correction", "beta " + number(c.rope.beta_fast) + " to " +
                                    number(c.rope.beta_slow) +
                                    (c.rope.truncate ? ", whole dimensions" : ", not rounded"));
    }
  }
  print_row("context", std::to_string(c.max_position));
  print_row("dtype", c.dtype_given ? dtype_name(c.dtype) : "not given");
  print_row("end tokens", list_text(c.eos_ids));
  if (verbose) {
    for (const std::string& key : c.ignored) {
      print_row("ignored", printable(key));
    }
  }
}

void print_generation(const GenerationConfig& g, bool verbose) {
  std::printf("generation config\n");
  const auto row = [](const char* name, const auto& v) {
    if (v) {
      print_row(name, number(static_cast<double>(*v)));
    }
  };
  print_row("end tokens", list_text(g.eos_ids));
  row("do_sample", g.do_sample);
  row("temperature", g.temperature);
  row("top_k", g.top_k);
  row("top_p", g.top_p);
  row("min_p", g.min_p);
  row("repetition_penalty", g.repetition_penalty);
  if (verbose) {
    for (const std::string& key : g.ignored) {
      print_row("ignored", printable(key));
    }
  }
}

std::string file_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

void print_tensors(const Inspection& in) {
  size_t name_width = 4, shape_width = 5;
  for (const InspectedTensor& t : in.tensors) {
    name_width = std::max(name_width, printable(t.name).size());
    shape_width = std::max(shape_width, t.shape.size());
  }
  std::printf("tensors\n  %-*s %-8s %-*s %14s %14s  %s\n", static_cast<int>(name_width), "name",
              "dtype", static_cast<int>(shape_width), "shape", "bytes", "offset", "file");
  for (const InspectedTensor& t : in.tensors) {
    std::printf("  %-*s %-8s %-*s %14lld %14lld  %s", static_cast<int>(name_width),
                printable(t.name).c_str(), t.dtype.c_str(), static_cast<int>(shape_width),
                t.shape.c_str(), static_cast<long long>(t.bytes), static_cast<long long>(t.offset),
                t.file.empty() ? "-" : file_name(t.file).c_str());
    if (t.non_finite && t.non_finite->count() > 0) {
      std::printf("  %lld NaN, %lld infinite", static_cast<long long>(t.non_finite->nan),
                  static_cast<long long>(t.non_finite->infinite));
    }
    std::printf("\n");
  }
}

void print_text(const Inspection& in, bool verbose, bool checked) {
  std::printf("%s: %s\n", in.path.c_str(), in.kind.c_str());
  if (in.config) {
    print_config(*in.config, verbose);
  }
  if (in.generation && in.generation->present) {
    print_generation(*in.generation, verbose);
  }
  for (const InspectedFile& f : in.files) {
    std::printf("file %s: %lld bytes\n", f.path.c_str(), static_cast<long long>(f.bytes));
    if (verbose) {
      for (const auto& [key, value] : f.metadata) {
        print_row(printable(key).c_str(), printable(value));
      }
    }
  }
  if (!in.tensors.empty()) {
    print_tensors(in);
    std::printf("total: %zu tensors, %lld bytes%s\n", in.tensors.size(),
                static_cast<long long>(in.tensor_bytes()),
                checked && in.problems.empty() ? ", all values finite" : "");
  }
  if (in.parameters) {
    std::printf("parameters: %lld\n", static_cast<long long>(*in.parameters));
  }
  for (const std::string& note : in.notes) {
    std::printf("note: %s\n", printable(note, 1000).c_str());
  }
  if (in.problems.empty()) {
    std::printf("ok\n");
  }
}

}  // namespace

CommandFn add_inspect(CLI::App& app) {
  struct Options {
    std::string path;
    bool json = false, verbose = false, check_weights = false;
  };
  auto o = std::make_shared<Options>();
  app.add_option("path", o->path,
                 "a model directory, a .safetensors file, a config.json, or random:PRESET")
      ->required();
  app.add_flag("--json", o->json, "print JSON");
  app.add_flag("-v,--verbose", o->verbose, "also list ignored config fields and file metadata");
  app.add_flag("--check-weights", o->check_weights,
               "read every weight and refuse NaN and infinity");
  return [o] {
    const Inspection in = inspect(o->path, o->check_weights);
    if (o->json) {
      print_json(in);
    } else {
      print_text(in, o->verbose, o->check_weights);
    }
    if (!in.problems.empty()) {
      std::fflush(stdout);  // the listing stands before the refusal where both go to one terminal
      std::string text = in.problems[0];
      for (size_t i = 1; i < in.problems.size(); ++i) {
        text += "\n" + in.problems[i];
      }
      fail(ErrorKind::kBadInput, text);
    }
    return 0;
  };
}

}  // namespace ember
