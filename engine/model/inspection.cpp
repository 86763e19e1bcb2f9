// SPDX-License-Identifier: Apache-2.0
#include "engine/model/inspection.h"

#include "engine/io/mmap_file.h"
#include "engine/io/name_list.h"
#include "engine/model/checkpoint_source.h"
#include "engine/model/random_source.h"
#include "engine/model/weight_schema.h"

namespace ember {
namespace {

constexpr int64_t kMaxJsonBytes = 100'000'000;

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Runs one part; a refusal becomes a problem and the other parts go on.
template <class F>
void attempt(Inspection* out, const F& part) {
  try {
    part();
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kBadInput) {
      throw;
    }
    out->problems.push_back(e.what());
  }
}

void add_tensor(const TensorEntry& t, bool check_weights, Inspection* out) {
  InspectedTensor row;
  row.name = t.name;
  row.dtype = t.dtype;
  row.dims = t.dims;
  row.shape = t.shape_text();
  row.file = t.file;
  row.bytes = t.bytes;
  row.offset = t.offset;
  row.unreadable = t.unreadable;
  if (check_weights && t.unreadable.empty()) {
    row.non_finite = count_non_finite(t.view);
  }
  out->tensors.push_back(std::move(row));
}

void add_file(const SafetensorsFile& file, bool check_weights, Inspection* out) {
  out->files.push_back({file.path(), file.size(), file.metadata()});
  NameList bad;
  for (const TensorEntry& t : file.tensors()) {
    add_tensor(t, check_weights, out);
    const auto& found = out->tensors.back().non_finite;
    if (found && found->count() > 0) {
      bad.add(t.name, " (byte " + std::to_string(t.offset) + ": " + std::to_string(found->nan) +
                          " NaN, " + std::to_string(found->infinite) + " infinite)");
    }
  }
  if (!bad.empty()) {
    out->problems.push_back(file.path() + ": values that are not finite: " + bad.text());
  }
}

void inspect_directory(const std::string& dir, bool check_weights, Inspection* out) {
  out->kind = "model directory";
  attempt(out, [&] { out->config = load_config(dir); });
  attempt(out, [&] { out->generation = load_generation_config(dir); });
  std::shared_ptr<const Checkpoint> checkpoint;
  attempt(out, [&] { checkpoint = Checkpoint::open(dir); });
  if (checkpoint) {
    for (const auto& file : checkpoint->files()) {
      add_file(*file, check_weights, out);
    }
    out->notes.insert(out->notes.end(), checkpoint->notes().begin(), checkpoint->notes().end());
  }
  if (checkpoint && out->config) {
    attempt(out, [&] {
      const CheckpointCheck check = check_checkpoint(*out->config, *checkpoint);
      out->notes.insert(out->notes.end(), check.notes.begin(), check.notes.end());
      out->config->shape.tied = out->config->shape.tied && check.head != TiedHead::kSeparate;
    });
  }
}

void inspect_random(const std::string& name, bool check_weights, Inspection* out) {
  out->kind = "generated weights";
  const auto source = open_random_weights(name);
  out->config = source->config();
  for_each_weight(source->config().shape, [&](const WeightRow& row, int64_t layer) {
    InspectedTensor t;
    const Shape shape = row.shape(source->config().shape);
    t.name = weight_name(row.role, layer);
    t.dtype = safetensors_name(source->config().dtype);
    t.shape = shape.str();
    for (int i = 0; i < shape.rank(); ++i) {
      t.dims.push_back(shape[i]);
    }
    t.bytes = source->tensor_bytes(row.role, layer);
    if (check_weights) {
      t.non_finite = count_non_finite(source->tensor(row.role, layer));
    }
    out->tensors.push_back(std::move(t));
  });
}

void inspect_file(const std::string& path, bool check_weights, Inspection* out) {
  if (ends_with(path, ".index.json")) {
    out->kind = "safetensors index";
    const std::string text = read_text_file(path, kMaxJsonBytes);
    const SafetensorsIndex index = SafetensorsIndex::parse(text, path);
    out->notes.push_back(path + ": " + std::to_string(index.weight_map.size()) + " tensors in " +
                         std::to_string(index.shards.size()) +
                         " shards; inspect the directory to check them");
  } else if (ends_with(path, "generation_config.json")) {
    out->kind = "generation config";
    out->generation = parse_generation_config(read_text_file(path, kMaxJsonBytes), path);
  } else if (ends_with(path, ".json")) {
    out->kind = "config";
    out->config = parse_config(read_text_file(path, kMaxJsonBytes), path);
  } else {
    out->kind = "safetensors file";
    add_file(*SafetensorsFile::open(path), check_weights, out);
  }
}

}  // namespace

int64_t Inspection::tensor_bytes() const {
  int64_t total = 0;
  for (const InspectedTensor& t : tensors) {
    total += t.bytes;  // the files hold them, so the sum is below their sizes' sum
  }
  return total;
}

Inspection inspect(const std::string& path, bool check_weights) {
  Inspection out;
  out.path = path;
  if (path.compare(0, 7, "random:") == 0) {
    inspect_random(path, check_weights, &out);
  } else if (is_directory(path)) {
    inspect_directory(path, check_weights, &out);
  } else if (!file_exists(path)) {
    fail(ErrorKind::kBadInput, path, ": no such file or directory");
  } else {
    attempt(&out, [&] { inspect_file(path, check_weights, &out); });
  }
  if (out.config) {
    out.parameters = parameter_count(out.config->shape);
    out.notes.insert(out.notes.begin(), out.config->notes.begin(), out.config->notes.end());
  }
  return out;
}

}  // namespace ember
