#include "base/log.h"

#include <spdlog/sinks/daily_file_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/bytes.h"
#include "base/clock.h"

namespace strongroom::base {
namespace {

constexpr std::size_t kMostValueBytes = 2000;
constexpr std::uint16_t kFilesKept = 30;
constexpr std::size_t kUsualLineBytes = 400;

// Logger writes the files of OpenLog; null while lines go to stderr.
std::shared_ptr<spdlog::logger>& Logger() {
  static std::shared_ptr<spdlog::logger> logger;
  return logger;
}

// One write a line: lines of several threads do not mix, and none is lost where the process is killed after it.
void WriteToStderr(std::string_view line) {
  while (!line.empty()) {
    const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kInfo: return "info";
    case Level::kWarning: return "warning";
    case Level::kError: return "error";
  }
  return "error";
}

void AppendFact(std::string& line, const Fact& fact) {
  line += ',';
  AppendJsonString(line, fact.name.view());
  line += ':';
  if (const auto* text = std::get_if<std::string_view>(&fact.value)) {
    AppendJsonString(line, text->substr(0, kMostValueBytes));
  } else if (const auto* number = std::get_if<std::int64_t>(&fact.value)) {
    line += std::to_string(*number);
  } else {
    line += std::get<bool>(fact.value) ? "true" : "false";
  }
}

void Write(Level level, std::string_view event, std::initializer_list<Fact> facts, std::initializer_list<Fact> more) {
  std::string line;
  line.reserve(kUsualLineBytes);
  line += "{\"ts\":\"" + FormatTimeMillis(WallMicros()) + "\",\"pid\":" + std::to_string(getpid());
  line += ",\"level\":\"";
  line += LevelName(level);
  line += "\",\"event\":";
  AppendJsonString(line, event);
  for (const Fact& fact : facts) AppendFact(line, fact);
  for (const Fact& fact : more) AppendFact(line, fact);
  line += '}';
  const std::shared_ptr<spdlog::logger>& logger = Logger();
  if (logger == nullptr) {
    line += '\n';
    WriteToStderr(line);
    return;
  }
  try {
    // The pattern is "%v" and the line is an argument, never a format string.
    logger->log(spdlog::level::info, "{}", line);
  } catch (const std::exception&) {
    // A log that cannot be written must not stop the work; the audit trail is the record that must.
  }
}

void AppendEscape(std::string& out, char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  out += "\\u00";
  out += kDigits[static_cast<unsigned char>(c) >> 4];
  out += kDigits[static_cast<unsigned char>(c) & 15];
}

void AppendEscaped(std::string& out, std::string_view text) {
  std::size_t at = 0;
  while (true) {
    const std::size_t plain = PlainRun(text, at);
    out.append(text, at, plain);
    at += plain;
    if (at == text.size()) return;
    AppendEscape(out, text[at++]);
  }
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const std::size_t good = Utf8Prefix(text);
    AppendEscaped(out, text.substr(0, good));
    text.remove_prefix(good);
    if (text.empty()) break;
    out += "\xef\xbf\xbd";
    text.remove_prefix(1);
  }
  out += '"';
}

Result<void> OpenLog(const std::string& destination, const std::string& program) {
  if (destination.empty() || destination == "stderr") return {};
  // A mistyped path must not become a directory somewhere, with the log in it and nobody told.
  if (struct stat facts{}; stat(destination.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) {
    return Fail(Code::kNotFound, "[log] destination is no directory: create it, or use \"stderr\"");
  }
  try {
    // 0640 whatever the umask: operators in the group read logs, nobody else does.
    const mode_t before = umask(0027);
    auto sink = std::make_shared<spdlog::sinks::daily_file_sink_mt>(destination + "/" + program + ".log", 0, 0, false,
                                                                    kFilesKept);
    umask(before);
    auto made = std::make_shared<spdlog::logger>("strongroom", std::move(sink));
    made->set_pattern("%v");
    made->flush_on(spdlog::level::info);
    Logger() = std::move(made);
    return {};
  } catch (const std::exception&) {
    return Fail(Code::kUnavailable, "cannot write logs to [log] destination: create the directory or use \"stderr\"");
  }
}

void Log(Level level, Literal event, std::initializer_list<Fact> facts) { Write(level, event.view(), facts, {}); }

void LogError(Literal event, const Error& error, std::initializer_list<Fact> facts) {
  const std::string message = error.Message();
  Write(Level::kError, event.view(), {{"code", CodeName(error.code())}, {"message", message}}, facts);
}

}  // namespace strongroom::base
