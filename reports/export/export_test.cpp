// SPDX-License-Identifier: Apache-2.0
// The tools that each format is for read the exports in suites/report/export_test.py; this is what
// they would not notice.
#include "reports/export/export.h"

#include <gtest/gtest.h>

#include <sstream>

#include "reports/testing/sample_report.h"

namespace ember::report {
namespace {

TEST(Export, SummaryStaysSmall) {
  Report r = kernel_report(1, 3000, 1, {});
  for (Case& c : r.cases) {
    fail_case(c, std::string(4000, '<'));
  }
  std::ostringstream out;
  export_summary(out, r);
  EXPECT_LT(out.str().size(), size_t{1} << 20);
  EXPECT_NE(out.str().find("3000 cases, 3000 failed"), std::string::npos);
  EXPECT_NE(out.str().find("worst of 3000"), std::string::npos);
}

TEST(Export, AnnotationsAreFewAndEscaped) {
  Report r = kernel_report(1, 50, 1, {});
  for (Case& c : r.cases) {
    fail_case(c, "100 %\n::error::forged");
  }
  std::ostringstream out;
  export_annotations(out, r);
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_NE(text.find("::100 %25%0A::error::forged\n"), std::string::npos) << text;
}

TEST(Export, MarkdownTextIsOneInertLine) {
  EXPECT_EQ(markdown_text("a|b\n<script>@you"), "a&#124;b &lt;script&gt;&#64;you");
}

TEST(Export, XmlTextHasXmlCharactersAlone) {
  EXPECT_EQ(xml_text("<&>\"'"), "&lt;&amp;&gt;&quot;&#39;");
  EXPECT_EQ(xml_text(std::string("a\0b\x1b", 4)),
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd");
  EXPECT_EQ(xml_text("\xef\xbf\xbf!"), "\xef\xbf\xbd!");
}

TEST(Export, WorstComesFirst) {
  const Report r = sample_report();
  const std::vector<const Case*> order = worst_first(r);
  EXPECT_EQ(order[0]->status, Status::kFailed);
  EXPECT_EQ(order.back()->status, Status::kSkipped);
}

}  // namespace
}  // namespace ember::report
