// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include "kernels/base/error.h"
#include "reports/writer.h"
#include "suites/suite/selftest_checks.h"

namespace ember {

using report::Json;

void check_hostile(SelftestRun* run) {
  const int kRefused = exit_code(ErrorKind::kBadInput);
  const std::string base = run->path("base.json"), text = read_file(base);
  const auto refused = [&](const std::string& name, const std::string& content) {
    const std::string path = run->path("hostile.json");
    report::write_file_atomically(path, content);
    run->expect("hostile: " + name, kRefused, {"report", "compare", base, path});
  };
  const auto edited = [&](const std::string& what, const std::string& with) {
    std::string copy = text;
    const size_t at = copy.find(what);
    return at == std::string::npos ? std::string("{") : copy.replace(at, what.size(), with);
  };
  refused("cut in the middle", text.substr(0, text.size() / 2));
  refused("a number that is none", edited("\"wall_s\": ", "\"wall_s\": NaN, \"x_rest\": "));
  refused("a number past all limits", edited("\"wall_s\": ", "\"wall_s\": 1e999, \"x_rest\": "));
  refused("a key twice", edited("\"wall_s\": ", "\"wall_s\": 1, \"wall_s\": "));
  refused("nested without end", std::string(1 << 20, '['));
  refused("not text", std::string("\xff\xfe\x00\x01", 4) + text.substr(0, 99));
  Json twice = Json::parse(text);
  twice["cases"].push_back(twice["cases"][0]);
  refused("one id twice", twice.dump());
  Json liar = Json::parse(text);
  Json& summary = some_kernel(&liar)["summary"];
  summary["median"] = summary["median"].get<double>() / 2;
  refused("a summary that its samples contradict", liar.dump());
  run->expect("hostile: a directory", kRefused, {"report", "compare", base, run->options().dir});
  run->expect("hostile: no file", kRefused, {"report", "compare", base, run->path("absent.json")});
  const std::string pipe = run->path("pipe.json");
  if (mkfifo(pipe.c_str(), 0600) == 0) {  // a reader that opens it waits for ever
    run->expect("hostile: a pipe", kRefused, {"report", "compare", base, pipe});
  }
  const std::string evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>";
  Json script = Json::parse(text);
  for (Json& c : script["cases"]) {
    c["id"] = c["id"].get<std::string>() + evil;
  }
  write_json(run->path("script.json"), script);
  run->expect("hostile: script in ids, compared", 0,
              {"report", "compare", run->path("script.json"), run->path("script.json")});
  run->expect("hostile: script in ids, as a page", 0,
              {"report", "html", run->path("script.json"), "-o", run->path("script.html")});
  SelftestCheck page;
  page.name = "hostile: the page runs none of it";
  page.expected = "0";
  const std::string html = read_file(run->path("script.html"));
  const bool clean =
      html.find("<script>alert") == std::string::npos && html.find("<img") == std::string::npos;
  page.codes = {clean ? 0 : exit_code(ErrorKind::kWrong)};
  page.pass = clean;
  run->add(std::move(page));
}

}  // namespace ember
