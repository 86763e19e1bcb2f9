// SPDX-License-Identifier: Apache-2.0
// A SQLite file from outside, read with suspicion: it is checked whole before the first row,
// nothing of its schema runs (views, virtual and generated tables are no tables here), and every
// value has the type that was asked for. Refusals name file, table, column and row
// (Error{kBadInput}).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace ember::report::nsys {

class Database {
 public:
  explicit Database(const std::string& path);

  bool has(const std::string& table) const { return tables_.count(table) > 0; }
  bool has(const std::string& table, const std::string& column) const;
  const std::string& path() const { return path_; }

 private:
  friend class Rows;
  using Statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;
  Statement prepare(const std::string& sql) const;
  bool step(const Statement& s) const;  // whether there is a row
  [[noreturn]] void fail_here() const;  // with what SQLite says
  std::string text(const Statement& s, int column) const;
  void check() const;
  void find_tables();

  std::string path_;
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> db_;
  std::map<std::string, std::set<std::string>> tables_;  // and their columns
};

// One pass over a table:
//   for (Rows r(db, "T", {"start", "end"}, {"text"}); r.next();) { r.integer(0) … }
class Rows {
 public:
  // A missing column of `needed` is refused, one of `wanted` reads as NULL in every row.
  Rows(const Database& db, const std::string& table, const std::vector<std::string>& needed,
       const std::vector<std::string>& wanted = {});
  bool next();

  int64_t integer(int column) const;  // refuses NULL
  std::optional<int64_t> integer_or_null(int column) const;
  int64_t integer_or(int column, int64_t otherwise) const;  // refuses nothing
  std::string text_or_empty(int column) const;              // NULL reads as empty
  bool is_text(int column) const;

  template <class... Parts>
  [[noreturn]] void fail(int column, const Parts&... parts) const {
    std::ostringstream out;
    (out << ... << parts);
    fail_text(column, out.str());
  }

 private:
  [[noreturn]] void fail_text(int column, const std::string& text) const;

  const Database& db_;
  std::string table_;
  std::vector<std::string> columns_;
  Database::Statement rows_;
  int64_t row_ = 0;  // from 1
};

}  // namespace ember::report::nsys
