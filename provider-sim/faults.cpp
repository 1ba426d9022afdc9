#include "provider-sim/faults.h"

#include <array>
#include <charconv>

#include "provider-sim/digest.h"

namespace strongroom::sim {
namespace {

struct Row {
  Fault fault;
  std::string_view name;
  std::string_view meaning;
};

constexpr std::array kRows = {
    Row{Fault::k429, "429", "rate limited, with Retry-After: 1 and retry-after-ms: 200"},
    Row{Fault::k429Quota, "429quota",
        "OpenAI insufficient_quota (429); Anthropic credit balance too low (400)"},
    Row{Fault::k401, "401", "the key is refused"},
    Row{Fault::k403, "403", "the key has no permission"},
    Row{Fault::k500, "500", "internal error"},
    Row{Fault::k502, "502", "bad gateway"},
    Row{Fault::k503, "503", "unavailable"},
    Row{Fault::k504, "504", "gateway timeout"},
    Row{Fault::k529, "529", "overloaded"},
    Row{Fault::kTimeout, "timeout", "reads the request and stays silent (120 s at most)"},
    Row{Fault::kSlow, "slow", "answers 3 s later than usual"},
    Row{Fault::kCut, "cut", "reads the request and closes without a byte"},
    Row{Fault::kCutMid, "cutmid", "sends half the body and closes"},
    Row{Fault::kMalformed, "malformed", "200 with broken JSON"},
    Row{Fault::kHtml, "html", "502 with an HTML page"},
    Row{Fault::kEcho, "echo", "200 whose text contains the key it was called with"},
    Row{Fault::kEchoAside, "echoaside", "200 with the key in members that no caller reads"},
    Row{Fault::kEchoHeader, "echoheader", "200 with the key in headers, retry-after among them"},
    Row{Fault::kEcho400, "echo400", "400 whose message contains the key it was called with"},
    Row{Fault::kEcho401, "echo401", "401 whose message contains the key it was called with"},
    Row{Fault::kEcho302, "echo302", "302 to a place whose query contains the key it was called with"},
    Row{Fault::kEchoCut, "echocut", "closes within a header that contains the key it was called with"},
};

template <typename Number>
std::optional<Number> ReadNumber(std::string_view text) {
  Number number{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// TakeUntil cuts `text` at the first mark and returns what stood before it.
std::string_view TakeUntil(std::string_view& text, char mark) {
  const std::size_t at = std::min(text.find(mark), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

struct Directive {
  Fault fault;
  std::uint64_t times;  // 0: always
};

std::optional<Directive> ReadDirective(std::string_view text) {
  if (const auto fault = FaultByName(text)) return Directive{*fault, 0};
  const std::size_t x = text.rfind('x');
  if (x == std::string_view::npos) return std::nullopt;
  const auto fault = FaultByName(text.substr(0, x));
  const auto times = ReadNumber<std::uint64_t>(text.substr(x + 1));
  if (!fault || !times || *times == 0) return std::nullopt;
  return Directive{*fault, *times};
}

// NextDirective finds "[[name:value]]" in `rest`, moves past it and returns the value.
std::optional<std::string_view> NextDirective(std::string_view& rest, std::string_view opening) {
  const std::size_t at = rest.find(opening);
  if (at == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(at + opening.size());
  const std::size_t end = rest.find("]]");
  if (end == std::string_view::npos) return std::nullopt;
  return rest.substr(0, end);
}

}  // namespace

std::optional<Fault> FaultByName(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.fault;
  }
  return std::nullopt;
}

std::string_view FaultName(Fault fault) {
  for (const Row& row : kRows) {
    if (row.fault == fault) return row.name;
  }
  return "none";
}

std::string FaultHelp() {
  std::string help;
  for (const Row& row : kRows) {
    help.append("  ").append(row.name).append(12 - row.name.size(), ' ').append(row.meaning).append("\n");
  }
  return help;
}

Result<FaultPlan> FaultPlan::Make(std::string_view rates, std::string_view list, std::uint64_t seed) {
  FaultPlan plan;
  plan.seed_ = seed;
  double total = 0.0;
  while (!rates.empty()) {
    std::string_view part = TakeUntil(rates, ',');
    const auto fault = FaultByName(TakeUntil(part, ':'));
    if (!fault) return Fail(Code::kInvalidArgument, "--fault names a fault that there is not");
    const auto rate = ReadNumber<double>(part);
    if (!rate || !(*rate >= 0.0 && *rate <= 1.0)) {
      return Fail(Code::kInvalidArgument, "--fault needs name:rate with a rate from 0 to 1");
    }
    total += *rate;
    plan.rates_.push_back({*fault, total});
  }
  if (total > 1.000001) return Fail(Code::kInvalidArgument, "the rates of --fault sum up to more than 1");
  for (std::int64_t line_number = 1; !list.empty(); ++line_number) {
    std::string_view line = TakeUntil(list, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const auto number = ReadNumber<std::uint64_t>(TakeUntil(line, ' '));
    const auto fault = FaultByName(line);
    if (!number || *number == 0 || !fault) {
      return Fail(Code::kInvalidArgument, "the fault list needs lines of 'nth fault'; wrong is line",
                  line_number);
    }
    plan.list_[*number] = *fault;
  }
  return plan;
}

Fault FaultPlan::Choose(std::string_view identity, const Sighting& sighting, std::string_view prompt) const {
  if (prompt.find("[[fault:") != std::string_view::npos) {
    return DirectedFault(prompt, sighting.nth).value_or(Fault::kNone);
  }
  if (const auto listed = list_.find(sighting.number); listed != list_.end()) return listed->second;
  return ByRate(identity, sighting.nth);
}

Fault FaultPlan::ByRate(std::string_view identity, std::uint64_t nth) const {
  if (rates_.empty()) return Fault::kNone;
  std::string seeded = std::to_string(seed_) + ':' + std::to_string(nth) + ':';
  seeded += identity;
  const Digest digest = Sha256(seeded);
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < 8; ++i) bits = bits << 8 | digest[i];
  const double uniform = static_cast<double>(bits >> 11) * 0x1.0p-53;
  for (const Rate& rate : rates_) {
    if (uniform < rate.up_to) return rate.fault;
  }
  return Fault::kNone;
}

std::optional<Fault> DirectedFault(std::string_view prompt, std::uint64_t nth) {
  std::uint64_t spent = 0;
  while (const auto text = NextDirective(prompt, "[[fault:")) {
    const auto directive = ReadDirective(*text);
    if (!directive) continue;
    if (directive->times == 0) return directive->fault;
    // Written so that no sum can overflow: nth is past `spent` here.
    if (nth - spent <= directive->times) return directive->fault;
    spent += directive->times;
  }
  return std::nullopt;
}

std::optional<int> DirectedLatency(std::string_view prompt) {
  constexpr int kMost = 120'000;
  const auto text = NextDirective(prompt, "[[latency:");
  if (!text) return std::nullopt;
  const auto latency = ReadNumber<int>(*text);
  if (!latency || *latency < 0) return std::nullopt;
  return std::min(*latency, kMost);
}

}  // namespace strongroom::sim
