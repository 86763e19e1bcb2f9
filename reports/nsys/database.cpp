// SPDX-License-Identifier: Apache-2.0
#include "reports/nsys/database.h"

#include <sqlite3.h>

#include <memory>
#include <new>

#include "engine/io/json.h"
#include "engine/io/mmap_file.h"
#include "kernels/base/error.h"

namespace ember::report::nsys {
namespace {

const char* type_name(int type) {
  switch (type) {
    case SQLITE_INTEGER:
      return "an integer";
    case SQLITE_FLOAT:
      return "a real number";
    case SQLITE_TEXT:
      return "text";
    case SQLITE_BLOB:
      return "a blob";
    default:
      return "NULL";
  }
}

constexpr int kMaxValue = 64 << 20;  // bytes of text or blob; SQLite asks for little more at once

bool memory_is_short() {
  const std::unique_ptr<void, void (*)(void*)> probe(sqlite3_malloc(2 * kMaxValue), sqlite3_free);
  return probe == nullptr;
}

void check_magic(const std::string& path) {
  const auto file = MappedFile::open(path);  // a regular one
  const std::string_view magic("SQLite format 3\0", 16);
  if (file->text().substr(0, magic.size()) != magic) {
    fail(ErrorKind::kBadInput, path,
         ": no SQLite database; `nsys export --type sqlite FILE.nsys-rep` makes one");
  }
}

}  // namespace

Database::Database(const std::string& path) : path_(path), db_(nullptr, sqlite3_close) {
  check_magic(path);
  // "./": SQLite has names of its own (":memory:", "file:…").
  const std::string name = path[0] == '/' ? path : "./" + path;
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &db, SQLITE_OPEN_READONLY, nullptr);
  db_.reset(db);
  if (code == SQLITE_NOMEM || db == nullptr) {
    throw std::bad_alloc();
  }
  if (code != SQLITE_OK) {
    fail_here();
  }
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, kMaxValue);
  step(prepare("PRAGMA cell_size_check = ON"));
  step(prepare("PRAGMA ignore_check_constraints = ON"));
  check();
  find_tables();
}

bool Database::has(const std::string& table, const std::string& column) const {
  const auto t = tables_.find(table);
  return t != tables_.end() && t->second.count(column) > 0;
}

Database::Statement Database::prepare(const std::string& sql) const {
  sqlite3_stmt* s = nullptr;
  if (sqlite3_prepare_v2(db_.get(), sql.c_str(), static_cast<int>(sql.size()), &s, nullptr) !=
      SQLITE_OK) {
    fail_here();
  }
  return Statement(s, sqlite3_finalize);
}

bool Database::step(const Statement& s) const {
  const int code = sqlite3_step(s.get());
  if (code != SQLITE_ROW && code != SQLITE_DONE) {
    fail_here();
  }
  return code == SQLITE_ROW;
}

void Database::fail_here() const {
  if (sqlite3_errcode(db_.get()) == SQLITE_NOMEM) {
    if (memory_is_short()) {
      throw std::bad_alloc();
    }
    // SQLite says so too of a record whose length wraps around in 32 bits.
    fail(ErrorKind::kBadInput, path_,
         ": a damaged database: a record in it has an impossible length; export it again");
  }
  fail(ErrorKind::kBadInput, path_,
       ": SQLite cannot read it: ", printable(sqlite3_errmsg(db_.get())), "; export it again");
}

std::string Database::text(const Statement& s, int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(s.get(), column));
  if (bytes == nullptr) {
    if (sqlite3_errcode(db_.get()) == SQLITE_NOMEM) {
      fail_here();
    }
    return "";
  }
  return std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(s.get(), column)));
}

// Pages that are missing, of no table or of two: a walk over those would lie, or never end.
void Database::check() const {
  const Statement s = prepare("PRAGMA quick_check(1)");
  if (step(s)) {
    const std::string verdict = text(s, 0);
    if (verdict != "ok") {
      fail(ErrorKind::kBadInput, path_, ": a damaged database: ", printable(verdict, 200),
           "; export it again");
    }
  }
}

void Database::find_tables() {
  // What has no root page is virtual.
  const Statement s =
      prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0");
  while (step(s)) {
    tables_[text(s, 0)];
  }
  for (auto& [table, columns] : tables_) {
    const Statement info = prepare("SELECT name FROM pragma_table_info(?)");  // no generated ones
    sqlite3_bind_text(info.get(), 1, table.data(), static_cast<int>(table.size()), SQLITE_STATIC);
    while (step(info)) {
      columns.insert(text(info, 0));
    }
  }
}

Rows::Rows(const Database& db, const std::string& table, const std::vector<std::string>& needed,
           const std::vector<std::string>& wanted)
    : db_(db), table_(table), columns_(needed), rows_(nullptr, sqlite3_finalize) {
  columns_.insert(columns_.end(), wanted.begin(), wanted.end());
  std::string sql;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const bool there = db.has(table, columns_[i]);
    if (!there && i < needed.size()) {
      ember::fail(ErrorKind::kBadInput, db.path(), ": table ", table, " has no column ",
                  columns_[i], "; is this an export of Nsight Systems?");
    }
    sql += (i == 0 ? "SELECT " : ", ") + (there ? "\"" + columns_[i] + "\"" : "NULL");
  }
  rows_ = db.prepare(sql + " FROM \"" + table + "\"");
}

bool Rows::next() {
  ++row_;
  return db_.step(rows_);
}

int64_t Rows::integer(int column) const {
  const std::optional<int64_t> v = integer_or_null(column);
  if (!v) {
    fail(column, "expected an integer, found NULL");
  }
  return *v;
}

std::optional<int64_t> Rows::integer_or_null(int column) const {
  const int type = sqlite3_column_type(rows_.get(), column);
  if (type == SQLITE_NULL) {
    return std::nullopt;
  }
  if (type != SQLITE_INTEGER) {
    fail(column, "expected an integer, found ", type_name(type));
  }
  return sqlite3_column_int64(rows_.get(), column);
}

int64_t Rows::integer_or(int column, int64_t otherwise) const {
  return sqlite3_column_type(rows_.get(), column) == SQLITE_INTEGER
             ? sqlite3_column_int64(rows_.get(), column)
             : otherwise;
}

std::string Rows::text_or_empty(int column) const {
  const int type = sqlite3_column_type(rows_.get(), column);
  if (type != SQLITE_TEXT && type != SQLITE_NULL) {
    fail(column, "expected text, found ", type_name(type));
  }
  return db_.text(rows_, column);
}

bool Rows::is_text(int column) const {
  return sqlite3_column_type(rows_.get(), column) == SQLITE_TEXT;
}

void Rows::fail_text(int column, const std::string& text) const {
  ember::fail(ErrorKind::kBadInput, db_.path(), ": ", table_, ".",
              columns_[static_cast<size_t>(column)], ", row ", row_, ": ", text);
}

}  // namespace ember::report::nsys
