// SPDX-License-Identifier: Apache-2.0
#include "engine/model/checkpoint_source.h"

#include <cstring>

#include "engine/io/mmap_file.h"
#include "engine/io/name_list.h"
#include "kernels/base/half.h"

namespace ember {
namespace {

struct Problems {
  NameList missing, unexpected, misshapen, unreadable;

  std::string text() const {
    std::string text;
    const auto add = [&](const char* what, const NameList& names) {
      if (!names.empty()) {
        text += (text.empty() ? "" : "; ") + std::string(what) + " (" +
                std::to_string(names.count()) + "): " + names.text();
      }
    };
    add("missing tensors", missing);
    add("unexpected tensors", unexpected);
    add("tensors of a wrong shape", misshapen);
    add("tensors of an unsupported dtype", unreadable);
    return text;
  }
};

void check_entry(const TensorEntry& entry, const Shape& want, Problems* problems) {
  const std::string at = " (byte " + std::to_string(entry.offset) + " of " +
                         entry.file.substr(entry.file.rfind('/') + 1) + "): ";
  if (!entry.unreadable.empty()) {
    problems->unreadable.add(entry.name, at + entry.unreadable + ", expected F32, F16 or BF16");
  } else if (entry.view.shape != want) {
    problems->misshapen.add(entry.name,
                            at + entry.shape_text() + ", the config says " + want.str());
  }
}

float element(const TensorView& v, int64_t i) {
  switch (v.dtype) {
    case DType::kF16:
      return to_float(v.as<F16>()[i]);
    case DType::kBF16:
      return to_float(v.as<BF16>()[i]);
    default:
      return v.as<float>()[i];
  }
}

bool equal_values(const TensorView& a, const TensorView& b) {
  if (a.dtype == b.dtype && std::memcmp(a.data, b.data, static_cast<size_t>(a.bytes())) == 0) {
    return true;
  }
  const int64_t n = a.numel();
  for (int64_t i = 0; i < n; ++i) {
    if (element(a, i) != element(b, i)) {
      return false;
    }
  }
  return true;
}

// Names that belong to the model are known by their shape in the name, not by a set of all of them.
bool in_schema(const ModelShape& shape, const std::string& name) {
  static const std::string kPrefix = "model.layers.";
  for (const WeightRow& row : weight_schema()) {
    if (!row.per_layer) {
      if (name == row.name) {
        return true;
      }
      continue;
    }
    const std::string suffix = std::string(row.name).substr(kPrefix.size() + 2);
    if (name.size() <= kPrefix.size() + suffix.size() ||
        name.compare(0, kPrefix.size(), kPrefix) != 0 ||
        name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0) {
      continue;
    }
    const std::string layer =
        name.substr(kPrefix.size(), name.size() - kPrefix.size() - suffix.size());
    const bool plain = layer.size() <= 5 && (layer == "0" || layer[0] != '0') &&
                       layer.find_first_not_of("0123456789") == std::string::npos;
    if (plain && std::stoll(layer) < shape.L) {
      return true;
    }
  }
  return false;
}

class CheckpointSource : public IWeightSource {
 public:
  explicit CheckpointSource(const std::string& dir)
      : config_(load_config(dir)), checkpoint_(Checkpoint::open(dir)) {
    const CheckpointCheck check = check_checkpoint(config_, *checkpoint_);
    head_ = check.head;
    config_.shape.tied = config_.shape.tied && head_ != TiedHead::kSeparate;
    if (!config_.dtype_given) {
      config_.dtype = tensor(WeightRole::kEmbedding, -1).dtype;
    }
    notes_ = config_.notes;
    notes_.insert(notes_.end(), checkpoint_->notes().begin(), checkpoint_->notes().end());
    notes_.insert(notes_.end(), check.notes.begin(), check.notes.end());
  }

  const ModelConfig& config() const override { return config_; }
  TensorView tensor(WeightRole role, int64_t layer) const override {
    return entry(role, layer).tensor();
  }
  int64_t tensor_bytes(WeightRole role, int64_t layer) const override {
    return entry(role, layer).bytes;
  }
  void prefetch(WeightRole role, int64_t layer) const override {
    const TensorView v = tensor(role, layer);
    will_need(v.data, v.bytes());
  }
  std::string description() const override {
    const size_t n = checkpoint_->files().size();
    return checkpoint_->dir() + " (safetensors, " + std::to_string(n) +
           (n == 1 ? " file)" : " files)");
  }
  std::string dir() const override { return checkpoint_->dir(); }
  std::vector<std::string> notes() const override { return notes_; }

 private:
  const TensorEntry& entry(WeightRole role, int64_t layer) const {
    if (role == WeightRole::kHead && config_.shape.tied) {
      role = WeightRole::kEmbedding;
    }
    if (role == WeightRole::kEmbedding && head_ == TiedHead::kHeadOnly) {
      role = WeightRole::kHead;
    }
    const std::string name = weight_name(role, layer);
    const TensorEntry* found = checkpoint_->find(name);
    EMBER_CHECK(found, name, " was checked when the checkpoint was opened");
    return *found;
  }

  ModelConfig config_;
  std::shared_ptr<const Checkpoint> checkpoint_;
  TiedHead head_ = TiedHead::kEmbedding;
  std::vector<std::string> notes_;
};

}  // namespace

CheckpointCheck check_checkpoint(const ModelConfig& config, const Checkpoint& checkpoint) {
  CheckpointCheck check;
  Problems problems;
  const TensorEntry* embedding = checkpoint.find(weight_name(WeightRole::kEmbedding, -1));
  const TensorEntry* head = checkpoint.find(weight_name(WeightRole::kHead, -1));
  if (config.shape.tied && !embedding && head) {
    check.head = TiedHead::kHeadOnly;
    check.notes.push_back("no model.embed_tokens.weight: the tied lm_head.weight serves as both");
  }
  for_each_weight(config.shape, [&](const WeightRow& row, int64_t layer) {
    const bool swap = row.role == WeightRole::kEmbedding && check.head == TiedHead::kHeadOnly;
    const std::string name = weight_name(swap ? WeightRole::kHead : row.role, layer);
    if (const TensorEntry* entry = checkpoint.find(name)) {
      check_entry(*entry, row.shape(config.shape), &problems);
    } else {
      problems.missing.add(name);
    }
  });
  for (const TensorEntry* entry : checkpoint.tensors()) {
    if (!in_schema(config.shape, entry->name)) {
      problems.unexpected.add(entry->name);
    }
  }
  if (config.shape.tied && embedding && head) {
    check_entry(*head, weight_row(WeightRole::kHead).shape(config.shape), &problems);
  }
  const std::string text = problems.text();
  if (!text.empty()) {
    const auto& files = checkpoint.files();
    fail(ErrorKind::kBadInput, files.size() == 1 ? files[0]->path() : checkpoint.dir(),
         ": the weights do not fit config.json: ", text);
  }
  if (config.shape.tied && embedding && head) {
    if (equal_values(embedding->view, head->view)) {
      check.notes.push_back("lm_head.weight repeats the tied embedding and is not used");
    } else {
      check.head = TiedHead::kSeparate;
      check.notes.push_back(
          "tie_word_embeddings is true, but lm_head.weight differs from the embedding: it is used "
          "as the head, as transformers 5 does");
    }
  }
  return check;
}

std::shared_ptr<const IWeightSource> open_checkpoint_weights(const std::string& dir) {
  return std::make_shared<CheckpointSource>(dir);
}

}  // namespace ember
