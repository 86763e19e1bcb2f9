// SPDX-License-Identifier: Apache-2.0
#include "engine/model/config.h"

#include <cmath>
#include <set>

#include "engine/io/checked.h"
#include "engine/io/json.h"
#include "engine/io/mmap_file.h"
#include "engine/model/rope.h"
#include "engine/model/token_ids.h"

namespace ember {
namespace {

constexpr int64_t kMaxConfigBytes = 16 << 20;
constexpr int64_t kMaxDimension = (int64_t{1} << 31) - 1;
constexpr int64_t kMaxLayers = 4096;
constexpr double kMaxParameters = 1e15;
constexpr double kMaxTheta = 1e30;    // leaves fp32 room for the frequencies
constexpr int64_t kMaxHeadDim = 256;  // the widest head that the attention kernels take

// Reads fields of config.json and remembers which were looked at.
class Fields {
 public:
  explicit Fields(const JsonNode& root) : root_(root.object()) {}

  std::optional<JsonNode> find(const std::string& key) {
    seen_.insert(key);
    return root_.find(key);
  }
  std::optional<JsonNode> find_set(const std::string& key) {
    seen_.insert(key);
    return root_.find_set(key);
  }
  int64_t dimension(const std::string& key, int64_t fallback, int64_t max = kMaxDimension) {
    const auto node = find(key);
    return node ? node->integer(1, max) : fallback;
  }
  bool flag(const std::string& key, bool fallback) {
    const auto node = find(key);
    return node ? node->boolean() : fallback;
  }
  std::vector<std::string> unseen() const {
    std::vector<std::string> names;
    for (const auto& item : root_.value().items()) {
      if (seen_.count(item.key()) == 0) {
        names.push_back(item.key());
      }
    }
    return names;
  }
  const JsonNode& root() const { return root_; }

 private:
  JsonNode root_;
  std::set<std::string> seen_;
};

void check_family(Fields& fields) {
  const auto type = fields.find("model_type");
  if (!type) {
    fields.root().fail("no field 'model_type'; expected \"qwen3\"");
  }
  if (type->string() != "qwen3") {
    type->fail("model type '", printable(type->string()),
               "' is not supported; expected \"qwen3\" (the dense Qwen3 family)");
  }
  if (const auto list = fields.find_set("architectures")) {
    for (size_t i = 0; i < list->array().size(); ++i) {
      const JsonNode name = list->item(i);
      if (name.string() != "Qwen3ForCausalLM") {
        name.fail("architecture '", printable(name.string()),
                  "' is not supported; expected Qwen3ForCausalLM");
      }
    }
  }
  const struct {
    const char* key;
    const char* why;
  } refused[] = {
      {"quantization_config", "quantised checkpoints are not supported; expected F32, F16 or BF16"},
      {"per_layer_config", "layers that differ from one another are not supported"},
      {"transformers_weights",
       "weights under another name are not supported; expected "
       "model.safetensors or model.safetensors.index.json"},
  };
  for (const auto& row : refused) {
    if (const auto node = fields.find_set(row.key)) {
      node->fail(row.why);
    }
  }
}

void check_mathematics(Fields& fields, int64_t layers) {
  if (const auto act = fields.find("hidden_act")) {
    if (act->string() != "silu" && act->string() != "swish") {
      act->fail("activation '", printable(act->string()), "' is not supported; expected \"silu\"");
    }
  }
  if (const auto bias = fields.find("attention_bias")) {
    if (bias->boolean()) {
      bias->fail("attention with bias is not supported; Qwen3 has none");
    }
  }
  if (const auto sliding = fields.find("use_sliding_window")) {
    if (sliding->boolean()) {
      sliding->fail("sliding-window attention is not supported; expected false");
    }
  }
  if (const auto types = fields.find_set("layer_types")) {
    if (static_cast<int64_t>(types->array().size()) != layers) {
      types->fail("lists ", types->size(), " layers, num_hidden_layers is ", layers);
    }
    for (size_t i = 0; i < types->size(); ++i) {
      const JsonNode type = types->item(i);
      if (type.string() != "full_attention") {
        type.fail("layer type '", printable(type.string()),
                  "' is not supported; expected \"full_attention\"");
      }
    }
  }
}

ModelShape read_shape(Fields& fields) {
  ModelShape s;
  s.L = fields.dimension("num_hidden_layers", 32, kMaxLayers);
  s.D = fields.dimension("hidden_size", 4096);
  s.H = fields.dimension("num_attention_heads", 32);
  s.K = 32;
  if (const auto kv = fields.find("num_key_value_heads")) {
    s.K = kv->is_null() ? s.H : kv->integer(1, kMaxDimension);
  }
  s.E = fields.dimension("head_dim", 128, kMaxHeadDim);
  s.F = fields.dimension("intermediate_size", 22016);
  s.V = fields.dimension("vocab_size", 151936);
  s.tied = fields.flag("tie_word_embeddings", false);
  if (s.H % s.K != 0) {
    fields.root().fail("num_attention_heads ", s.H, " is not a multiple of num_key_value_heads ",
                       s.K);
  }
  if (s.E % 2 != 0) {
    fields.root().at("head_dim").fail("is odd: ", s.E, "; rotary embedding needs an even number");
  }
  if (s.H > kMaxDimension / s.E) {
    fields.root().at("num_attention_heads").fail(s.H, " heads of head_dim ", s.E, " are too wide");
  }
  // Each factor is below 2^31, so fp64 cannot overflow; what passes has sizes that int64 holds.
  const double row = static_cast<double>(s.D);
  const double parameters =
      2.0 * row * static_cast<double>(s.V) +
      static_cast<double>(s.L) * row *
          (2.0 * static_cast<double>(s.q_dim()) + 2.0 * static_cast<double>(s.kv_dim()) +
           3.0 * static_cast<double>(s.F));
  if (parameters > kMaxParameters) {
    fields.root().fail("the dimensions give ", parameters, " parameters, expected at most ",
                       kMaxParameters);
  }
  return s;
}

// A number above 0 that fp32 can hold.
double read_positive(const JsonNode& node) {
  const double v = node.number();
  const float rounded = static_cast<float>(v);
  if (!(rounded > 0.0f) || !std::isfinite(rounded)) {
    node.fail("expected a number above 0, got ", node.describe());
  }
  return v;
}

// The rope fields: from rope_scaling when it is there and not empty (the older form), else from
// rope_parameters.
struct RopeFields {
  std::optional<JsonNode> node;
  std::string type = "default";
};

RopeFields read_rope_type(Fields& fields) {
  RopeFields rope;
  const auto scaling = fields.find_set("rope_scaling");
  const auto parameters = fields.find_set("rope_parameters");
  if (scaling && scaling->object().size() > 0) {
    rope.node = scaling;
  } else if (parameters && parameters->object().size() > 0) {
    rope.node = parameters;
  }
  if (!rope.node) {
    return rope;
  }
  auto type = rope.node->find("rope_type");
  if (!type) {
    type = rope.node->find("type");
  }
  if (type) {
    rope.type = type->string();
    if (rope.type != "default" && rope.type != "yarn") {
      type->fail("rope type '", printable(rope.type),
                 "' is not supported; expected \"default\" or \"yarn\"");
    }
  }
  for (const char* nested : {"full_attention", "sliding_attention"}) {
    if (const auto node = rope.node->find(nested)) {
      node->fail("rope parameters by layer type are not supported; Qwen3 has one set");
    }
  }
  return rope;
}

void check_partial_rotary(const std::optional<JsonNode>& node) {
  if (node && node->number() != 1.0) {
    node->fail("rotating a part of the head is not supported; expected 1, got ", node->describe());
  }
}

void read_yarn(const JsonNode& node, Fields& fields, const ModelConfig& config, RopeConfig* rope) {
  rope->yarn = true;
  rope->original_max_position = config.max_position;
  // A field of this name beside the rope fields counts before the one among them.
  const auto outer = fields.find("original_max_position_embeddings");
  const auto inner = node.find("original_max_position_embeddings");
  if (outer || inner) {
    rope->original_max_position = (outer ? outer : inner)->integer(1, kMaxDimension);
  }
  const JsonNode factor = node.at("factor");
  rope->factor = factor.is_null() ? static_cast<double>(config.max_position) /
                                        static_cast<double>(rope->original_max_position)
                                  : read_positive(factor);
  // 0 and null both mean the default, as in transformers.
  for (const auto& [key, value] :
       {std::pair<const char*, double*>{"beta_fast", &rope->beta_fast},
        std::pair<const char*, double*>{"beta_slow", &rope->beta_slow}}) {
    if (const auto beta = node.find_set(key)) {
      if (beta->number() != 0.0) {
        *value = read_positive(*beta);
      }
    }
  }
  if (const auto truncate = node.find("truncate")) {
    rope->truncate = !truncate->is_null() && truncate->boolean();
  }
  double mscale = 0.0;
  double mscale_all_dim = 0.0;
  if (const auto m = node.find_set("mscale")) {
    mscale = m->number();
  }
  if (const auto m = node.find_set("mscale_all_dim")) {
    mscale_all_dim = m->number();
  }
  const auto given = node.find_set("attention_factor");
  rope->attention_factor =
      given ? read_positive(*given) : yarn_attention_factor(rope->factor, mscale, mscale_all_dim);
  if (!std::isfinite(rope->attention_factor) || rope->attention_factor <= 0.0) {
    node.fail("mscale ", mscale, " and mscale_all_dim ", mscale_all_dim,
              " give no usable attention factor");
  }
}

RopeConfig read_rope(Fields& fields, ModelConfig* config) {
  RopeConfig rope;
  const RopeFields read = read_rope_type(fields);
  std::optional<JsonNode> theta = fields.find("rope_theta");
  check_partial_rotary(fields.find_set("partial_rotary_factor"));
  if (read.node) {
    check_partial_rotary(read.node->find_set("partial_rotary_factor"));
    if (const auto inner = read.node->find("rope_theta")) {
      theta = inner;
    }
  }
  if (theta) {
    rope.theta = theta->number();
    if (!(rope.theta > 1.0) || rope.theta > kMaxTheta) {
      theta->fail("expected a number above 1 and at most ", kMaxTheta, ", got ", theta->describe());
    }
  }
  if (read.type != "yarn") {
    return rope;
  }
  read_yarn(*read.node, fields, *config, &rope);
  const double implied =
      static_cast<double>(config->max_position) / static_cast<double>(rope.original_max_position);
  if (implied != rope.factor && implied != 1.0) {
    std::ostringstream note;
    note << "yarn factor " << rope.factor << " is used, although max_position_embeddings / "
         << "original_max_position_embeddings is " << implied;
    config->notes.push_back(note.str());
  }
  return rope;
}

void read_dtype(Fields& fields, ModelConfig* config) {
  std::optional<JsonNode> node = fields.find_set("torch_dtype");
  if (const auto newer = fields.find_set("dtype")) {
    node = newer;
  }
  if (!node) {
    return;
  }
  const struct {
    const char* name;
    DType dtype;
  } table[] = {{"float32", DType::kF32},
               {"float16", DType::kF16},
               {"bfloat16", DType::kBF16},
               {"float", DType::kF32},
               {"half", DType::kF16}};
  for (const auto& row : table) {
    if (node->string() == row.name) {
      config->dtype = row.dtype;
      config->dtype_given = true;
      return;
    }
  }
  node->fail("dtype '", printable(node->string()),
             "' is not supported; expected float32, float16 or bfloat16");
}

std::optional<int32_t> read_token_id(const std::optional<JsonNode>& node) {
  if (!node) {
    return std::nullopt;
  }
  return static_cast<int32_t>(node->integer(0, kMaxDimension));
}

}  // namespace

ModelConfig parse_config(std::string_view json, const std::string& where) {
  const JsonDocument document(json, where);
  Fields fields(document.root());
  check_family(fields);
  ModelConfig config;
  config.shape = read_shape(fields);
  check_mathematics(fields, config.shape.L);
  if (const auto eps = fields.find("rms_norm_eps")) {
    config.rms_eps = eps->number();
    if (!(static_cast<float>(config.rms_eps) > 0.0f) || config.rms_eps >= 1.0) {
      eps->fail("expected a number above 0 and below 1, got ", eps->describe());
    }
  }
  config.max_position = fields.dimension("max_position_embeddings", 32768);
  config.rope = read_rope(fields, &config);
  read_dtype(fields, &config);
  config.eos_ids = read_token_ids(fields.find_set("eos_token_id"));
  config.bos_id = read_token_id(fields.find_set("bos_token_id"));
  config.pad_id = read_token_id(fields.find_set("pad_token_id"));
  for (const int32_t id : config.eos_ids) {
    if (id >= config.shape.V) {
      config.notes.push_back("eos_token_id " + std::to_string(id) +
                             " is outside the vocabulary of " + std::to_string(config.shape.V));
    }
  }
  config.ignored = fields.unseen();
  return config;
}

ModelConfig load_config(const std::string& dir) {
  const std::string path = dir + "/config.json";
  return parse_config(read_text_file(path, kMaxConfigBytes), path);
}

}  // namespace ember
