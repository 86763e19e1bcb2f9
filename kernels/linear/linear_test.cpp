// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/testing.h"
#include "kernels/linear/linear_cases.h"

namespace ember::k::testing {
namespace {

struct Inputs {
  TestTensor x, w, y0;
  explicit Inputs(const LinearCase& c)
      : x(c.x, {c.T, c.K}, c.padding), w(c.w, {c.N, c.K}, c.padding), y0(DType::kF32, {c.T, c.N}) {
    x.randomise(c.seed * 3 + 1);
    w.randomise(c.seed * 3 + 2);
    y0.randomise(c.seed * 3 + 3);
  }

  // A result tensor that starts as y0 when it is to be added to, else as NaN.
  TestTensor result(const LinearCase& c, DType dtype) const {
    TestTensor y(dtype, {c.T, c.N}, c.padding);
    if (c.accumulate) {
      y.randomise(c.seed * 3 + 3);
    }
    return y;
  }

  LinearParams params(const LinearCase& c, const TestTensor& y) const {
    return {y, x, w, c.alpha, c.accumulate};
  }
};

std::string describe(const LinearCase& c) {
  return c.name + " T " + std::to_string(c.T) + " N " + std::to_string(c.N) + " K " +
         std::to_string(c.K) + " x " + dtype_name(c.x) + " w " + dtype_name(c.w) + " y " +
         dtype_name(c.y) + (c.accumulate ? " +=" : "");
}

void check_case(const LinearCase& c) {
  SCOPED_TRACE(describe(c));
  const Inputs in(c);
  const TestTensor want = in.result(c, DType::kF32);
  linear_oracle(in.params(c, want));
  const double product = c.alpha * rms(in.x) * rms(in.w) * std::sqrt(static_cast<double>(c.K));
  const double typical = product + (c.accumulate ? 1.0 / std::sqrt(c.K) : 0.0);
  for_each_isa([&] {
    for (const Impl<LinearParams>& impl : linear_impls()) {
      const TestTensor y = in.result(c, c.y);
      impl.run(in.params(c, y), {});
      EXPECT_TRUE(close(y, doubles(want), c.K, typical)) << impl.name;
      EXPECT_TRUE(y.guards_intact()) << impl.name;
    }
  });
}

TEST(Linear, OracleIsTheDefinition) {
  const float x[] = {1, 2, 3, -1, 0, 2}, w[] = {1, 1, 1, 2, 0, -1};
  float y[] = {10, 20, 30, 40};
  const auto view = [](const float* p, int64_t rows, int64_t cols) {
    return TensorView(const_cast<float*>(p), DType::kF32, {rows, cols});
  };
  LinearParams p{view(y, 2, 2), view(x, 2, 3), view(w, 2, 3), 2.0f, true};
  linear_oracle(p);
  EXPECT_EQ(std::vector<float>(y, y + 4), (std::vector<float>{22, 18, 32, 32}));
  p.alpha = 1;
  p.accumulate = false;
  linear_oracle(p);
  EXPECT_EQ(std::vector<float>(y, y + 4), (std::vector<float>{6, -1, 1, -4}));
}

TEST(Linear, EdgesMatchTheOracle) {
  for (const LinearCase& c : linear_edge_cases()) {
    check_case(c);
    if (HasFailure()) {
      return;
    }
  }
}

TEST(Linear, PresetShapesMatchTheOracle) {
  for (const LinearCase& c : linear_preset_cases(1, DType::kBF16, 130)) {
    check_case(c);
  }
  for (const LinearCase& c : linear_preset_cases(19, DType::kF16, 66)) {
    check_case(c);
  }
}

LinearCase many_tokens(DType w) {
  LinearCase c;
  c.name = "many";
  c.T = 600;
  c.N = 70;
  c.K = 300;
  c.w = w;
  return c;
}

TEST(Linear, MoreTokensThanOneBlockHolds) {
  for (DType w : kFloatDTypes) {
    check_case(many_tokens(w));
  }
}

TEST(Linear, DoesNotDependOnTheNumberOfThreads) {
  for (int64_t T : {1, 3, 50}) {
    LinearCase c = many_tokens(DType::kBF16);
    c.T = T;
    c.N = 300;
    const Inputs in(c);
    for_each_isa([&] {
      std::vector<TestTensor> results;
      for (int threads : {1, 2, 5}) {
        set_thread_count(threads);
        results.push_back(in.result(c, DType::kF32));
        linear_cpu(in.params(c, results.back()));
      }
      set_thread_count(0);
      EXPECT_TRUE(results[0].same_bytes(results[1]));
      EXPECT_TRUE(results[0].same_bytes(results[2]));
    });
  }
}

// Chunks of a prompt then give the same bits as the whole of it.
TEST(Linear, ATokenDoesNotDependOnItsCompany) {
  LinearCase c = many_tokens(DType::kBF16);
  c.T = 61;
  const Inputs in(c);
  for (CpuIsa isa : usable_isas()) {
    force_cpu_isa(isa);
    const TestTensor whole = in.result(c, DType::kF32), parts = in.result(c, DType::kF32);
    linear_cpu(in.params(c, whole));
    for (int64_t begin : {0, 30}) {
      LinearParams p = in.params(c, parts);
      const int64_t count = begin == 0 ? 30 : 31;
      p.x = p.x.rows(begin, count);
      p.y = p.y.rows(begin, count);
      linear_cpu(p);
    }
    if (isa != CpuIsa::kPlain) {  // OpenBLAS makes no such promise
      EXPECT_TRUE(whole.same_bytes(parts)) << name(isa);
    }
    force_cpu_isa(std::nullopt);
  }
}

TEST(Linear, NanInOneWeightRowStaysInItsColumn) {
  for (int64_t T : {1, 20}) {
    LinearCase c = many_tokens(DType::kF32);
    c.T = T;
    c.N = 40;
    const Inputs in(c);
    in.w.view().as<float>()[7 * c.K + 5] = std::nanf("");
    for_each_isa([&] {
      const TestTensor y = in.result(c, DType::kF32);
      linear_cpu(in.params(c, y));
      const std::vector<float> v = values(y);
      for (size_t i = 0; i < v.size(); ++i) {
        EXPECT_EQ(std::isnan(v[i]), i % 40 == 7) << i;
      }
    });
  }
}

TEST(Linear, ColumnSliceLeavesTheRestAlone) {
  TestTensor x(DType::kF32, {9, 40}), w(DType::kF32, {16, 40}), wide(DType::kF32, {9, 48});
  x.randomise(1);
  w.randomise(2);
  linear_cpu({wide.view().cols(16, 16), x, w});
  const std::vector<float> v = values(wide);
  for (size_t i = 0; i < v.size(); ++i) {
    EXPECT_EQ(std::isnan(v[i]), i % 48 < 16 || i % 48 >= 32) << i;
  }
}

TEST(Linear, ContractViolationsThrow) {
  const TestTensor x(DType::kF32, {2, 8}), w(DType::kF32, {4, 8}), y(DType::kF32, {2, 4}),
      ids(DType::kI32, {2, 8}), y16(DType::kBF16, {2, 4}), narrow(DType::kF32, {2, 7});
  const auto expect = [](ErrorKind kind, const char* words, const LinearParams& p) {
    EXPECT_TRUE(throws(kind, words, [&] { validate(p); }));
    EXPECT_TRUE(throws(kind, words, [&] { linear_cpu(p); }));
  };
  expect(ErrorKind::kDtype, "linear: x:", {y, ids, w});
  expect(ErrorKind::kShape, "linear: w:", {y, narrow, w});
  expect(ErrorKind::kShape, "linear: y:", {x, x, w});
  expect(ErrorKind::kDtype, "linear: y:", {y16, x, w, 1.0f, true});
  expect(ErrorKind::kUnsupported, "overlap", {x.view().cols(0, 4), x, w});
  TensorView bad = y;
  bad.row_stride = 3;
  expect(ErrorKind::kShape, "row stride", {bad, x, w});
  bad = y;
  bad.data = static_cast<char*>(bad.data) + 1;
  expect(ErrorKind::kAlign, "linear: y:", {bad, x, w});
  bad.data = nullptr;
  expect(ErrorKind::kAlign, "linear: y:", {bad, x, w});
  bad = w;
  bad.device = {DeviceKind::kCuda, 0};
  expect(ErrorKind::kUnsupported, "linear: w:", {y, x, bad});
}

TEST(Linear, CostCountsEachOperandOnce) {
  const TestTensor x(DType::kF32, {2, 8}), w(DType::kBF16, {4, 8}), y(DType::kF32, {2, 4});
  const Cost c = cost(LinearParams{y, x, w, 1.0f, true});
  EXPECT_EQ(c.bytes_read, 2 * 8 * 4 + 4 * 8 * 2 + 2 * 4 * 4);
  EXPECT_EQ(c.bytes_written, 2 * 4 * 4);
  EXPECT_EQ(c.flops, 2 * 2 * 4 * 8);
}

}  // namespace
}  // namespace ember::k::testing
