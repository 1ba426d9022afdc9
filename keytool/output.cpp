#include "keytool/output.h"

#include <cstdio>

#include "base/log.h"
#include "base/table.h"

namespace strongroom::keytool {
namespace {

bool lost = false;

}  // namespace

void Print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) lost = true;
}

bool FlushOutput() {
  if (std::fflush(stdout) != 0) lost = true;
  return !lost;
}

void Warn(std::string_view text) { std::fprintf(stderr, "keytool: warning: %s\n", base::Printable(text).c_str()); }

void Tell(std::string_view text) { static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr)); }

void Complain(const Problem& problem, bool json) {
  if (!problem.text.empty()) std::fprintf(stderr, "keytool: %s\n", base::Printable(problem.text).c_str());
  if (!json || problem.name.empty()) return;
  JsonLine line;
  line.Text("error", problem.name).Text("message", problem.text);
  if (!problem.key_ref.empty()) line.Text("key_ref", problem.key_ref);
  Print(line.Str() + "\n");
}

void JsonLine::Name(base::Literal name) {
  if (!fields_.empty()) fields_ += ',';
  base::AppendJsonString(fields_, name.view());
  fields_ += ':';
}

JsonLine& JsonLine::Text(base::Literal name, std::string_view value) {
  Name(name);
  base::AppendJsonString(fields_, value);
  return *this;
}

JsonLine& JsonLine::OptionalText(base::Literal name, std::string_view value) {
  return value.empty() ? Raw(name, "null") : Text(name, value);
}

JsonLine& JsonLine::Number(base::Literal name, std::int64_t value) { return Raw(name, std::to_string(value)); }

JsonLine& JsonLine::Flag(base::Literal name, bool value) { return Raw(name, value ? "true" : "false"); }

JsonLine& JsonLine::Raw(base::Literal name, std::string_view value) {
  Name(name);
  fields_ += value;
  return *this;
}

std::string Joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

std::string JsonList(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) {
    list += list.empty() ? "" : ",";
    base::AppendJsonString(list, text);
  }
  return "[" + list + "]";
}

}  // namespace strongroom::keytool
