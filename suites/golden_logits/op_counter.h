// SPDX-License-Identifier: Apache-2.0
// Proof of the path: how often each primitive really ran.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "engine/backend/forwarding_backend.h"

namespace ember::golden {

using OpCounts =
    std::map<std::string, int64_t>;  // "linear" -> calls; "linear.bf16" by weight dtype

class OpCounter : public ForwardingBackend {
 public:
  OpCounter(std::unique_ptr<IBackend> inner, std::shared_ptr<OpCounts> counts)
      : ForwardingBackend(std::move(inner)), counts_(std::move(counts)) {}

  void embed(const k::EmbedParams& p) override { count("embed"), inner().embed(p); }
  void rmsnorm(const k::RmsNormParams& p) override { count("rmsnorm"), inner().rmsnorm(p); }
  void linear(const k::LinearParams& p) override {
    count("linear");
    count(std::string("linear.") + dtype_name(p.w.dtype));
    inner().linear(p);
  }
  void qk_norm_rope(const k::QkNormRopeParams& p) override {
    count("qk_norm_rope"), inner().qk_norm_rope(p);
  }
  void attention(const k::AttentionParams& p) override {
    count(p.q.shape[0] == 1 ? "attention.one_token" : "attention.many_tokens");
    inner().attention(p);
  }
  void swiglu(const k::SwigluParams& p) override { count("swiglu"), inner().swiglu(p); }
  void receive(const TensorView& to, Hop& hop) override { count("hop"), inner().receive(to, hop); }

 private:
  void count(const std::string& op) { ++(*counts_)[op]; }

  std::shared_ptr<OpCounts> counts_;
};

}  // namespace ember::golden
