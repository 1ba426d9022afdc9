#include "keytool/onboard_guide.h"

#include <unistd.h>

#include <charconv>
#include <functional>
#include <utility>
#include <vector>

#include "base/table.h"
#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/output.h"
#include "keytool/reason.h"

namespace strongroom::keytool {
namespace {

constexpr std::size_t kMostTries = 20;
constexpr std::int64_t kMostLimit = 2'147'483'647, kMostQuota = 9'007'199'254'740'991;

// Question is one of them. `take` is given the answer, or `otherwise` where there was none.
struct Question {
  std::string text;
  std::function<bool()> applies;
  std::function<std::string()> otherwise;
  std::function<Outcome<void>(const std::string&)> take;
};

class Guide {
 public:
  Guide(const Session& session, const OnboardOptions& given) : session_(session), given_(given) {
    guided_.options = given;
    guided_.options.mode = ModeOf(given.customer);
  }
  Outcome<Guided> Ask();

 private:
  void AddWho();
  void AddKey();
  void AddSettings();
  void Add(std::string text, std::function<bool()> applies, std::function<std::string()> otherwise, std::function<Outcome<void>(const std::string&)> take) {
    questions_.push_back({std::move(text), std::move(applies), std::move(otherwise), std::move(take)});
  }
  void AddLimit(const std::string& text, std::optional<std::int64_t> OnboardOptions::* limit, std::int64_t most);
  Outcome<std::string> One(const Question& question) const;
  void DropStale();
  // A key of the house's own is for those that it hosts.
  std::string ModeOf(const std::string& customer) const { return customer == "HOUSE" && !keyless() ? "hosted" : given_.mode; }
  bool could_be_hosted() const { return !is_house() && !keyless() && given_.mode == "byok" && given_.key_ref.empty() && given_.key_file.empty(); }
  bool takes_key() const { return !keyless() && !uses_house_key() && given_.key_ref.empty() && given_.key_file.empty(); }
  std::string Summary() const;

  OnboardOptions& now() { return guided_.options; }
  bool is_house() const { return guided_.options.customer == "HOUSE"; }
  bool keyless() const { return guided_.options.provider == "ollama"; }
  bool uses_house_key() const { return guided_.options.mode == "hosted" && !is_house() && !keyless(); }
  std::string HouseKey() const;

  const Session& session_;
  const OnboardOptions given_;
  Guided guided_;
  std::vector<Question> questions_;
};

std::string Nothing() { return ""; }

Outcome<void> OneOf(const std::string& answer, const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) {
    if (answer == word) return {};
    all += (all.empty() ? "" : ", ") + word;
  }
  return Usage("one of " + all);
}

void Guide::AddWho() {
  Add("Customer, 1 to 10 characters (HOUSE is the house itself)", [this] { return given_.customer.empty(); }, Nothing,
      [this](const std::string& answer) -> Outcome<void> {
    TRY(CheckCustomer(answer));
    now().customer = answer;
    now().mode = ModeOf(answer);
    return {};
  });
  Add("Provider: anthropic, openai or ollama", [this] { return given_.provider.empty(); }, Nothing, [this](const std::string& answer) -> Outcome<void> {
    TRY(OneOf(answer, {"anthropic", "openai", "ollama"}));
    now().provider = answer;
    if (keyless() || is_house()) now().mode = ModeOf(now().customer);
    return {};
  });
  Add("Model, where a request names none", [this] { return given_.model.empty(); }, Nothing, [this](const std::string& answer) -> Outcome<void> {
    TRY(CheckText("the model", answer, 80));
    now().model = answer;
    return {};
  });
}

// HouseKey is the house's one key at the provider; empty where there is none, or a choice.
std::string Guide::HouseKey() const {
  const auto document = session_.AskList(vault::Operation::kListKeys, "HOUSE", "ACTIVE");
  const auto rows = document ? ReadRows(*document, {"key_ref", "provider"}) : Outcome<std::vector<base::Row>>(std::unexpected(Problem{}));
  std::string found;
  for (const base::Row& row : rows.value_or(std::vector<base::Row>())) {
    if (row[1] != guided_.options.provider) continue;
    if (!found.empty()) return "";
    found = row[0];
  }
  return found;
}

void Guide::AddKey() {
  Add("Whose key: the customer's own (byok), or the house's (hosted)", [this] { return could_be_hosted(); }, [] { return std::string("byok"); }, [this](const std::string& answer) -> Outcome<void> {
        TRY(OneOf(answer, {"byok", "hosted"}));
        now().mode = answer;
        return {};
      });
  Add("Which key of the house's, as `keytool list --customer HOUSE` shows it", [this] { return uses_house_key() && given_.key_ref.empty(); }, [this] { return HouseKey(); },
      [this](const std::string& answer) -> Outcome<void> {
        TRY(ReadKeyRef("the key", answer));
        now().key_ref = answer;
        return {};
      });
  Add("Who has the key: you type it here (t), or the customer seals it to a ticket, and nobody sees it (c)", [this] { return takes_key(); }, [] { return std::string("t"); },
      [this](const std::string& answer) -> Outcome<void> {
        TRY(OneOf(answer, {"t", "c"}));
        guided_.ticket = answer == "c";
        return {};
      });
}

void Guide::AddLimit(const std::string& text, std::optional<std::int64_t> OnboardOptions::* limit, std::int64_t most) {
  Add(text, [this, limit] { return !(given_.*limit); }, [] { return std::string("none"); }, [this, limit, most](const std::string& answer) -> Outcome<void> {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(answer.data(), answer.data() + answer.size(), number);
    const bool whole = error == std::errc() && end == answer.data() + answer.size() && number > 0 && number <= most;
    if (!whole && answer != "none") return Usage("a whole number above 0, or none");
    now().*limit = whole ? std::optional(number) : std::nullopt;
    return {};
  });
}

void Guide::AddSettings() {
  Add("URL of the provider, where it is not the public one", [this] { return given_.endpoint.empty() && !uses_house_key(); }, [] { return std::string("public"); },
      [this](const std::string& answer) -> Outcome<void> {
        if (answer != "public") TRY(CheckEndpoint(answer, !keyless()));
        now().endpoint = answer == "public" ? "" : answer;
        return {};
      });
  Add("Name of the profile, which requests give", [this] { return given_.profile.empty(); }, [this] { return now().customer + "_DEFAULT"; },
      [this](const std::string& answer) -> Outcome<void> {
        TRY(CheckText("the profile", answer, 40));
        now().profile = answer;
        return {};
      });
  AddLimit("Requests a minute", &OnboardOptions::rpm, kMostLimit);
  AddLimit("Tokens a minute", &OnboardOptions::tpm, kMostLimit);
  AddLimit("Tokens a month", &OnboardOptions::quota, kMostQuota);
  Add("Reason, for the trail", [this] { return given_.reason.empty(); }, Nothing, [this](const std::string& answer) -> Outcome<void> {
    TRY(CheckText("the reason", answer, 500));
    now().reason = answer;
    return {};
  });
}

// DropStale forgets the answers to questions that later answers have done away with.
void Guide::DropStale() {
  if (!takes_key()) guided_.ticket = false;
  if (!uses_house_key()) now().key_ref = given_.key_ref;
  if (uses_house_key()) now().endpoint = given_.endpoint;
}

std::string Guide::Summary() const {
  const OnboardOptions& all = guided_.options;
  std::string limits;
  for (const auto& [number, of] : {std::pair(all.rpm, " requests a minute"), std::pair(all.tpm, " tokens a minute"), std::pair(all.quota, " tokens a month")}) {
    if (number) limits += (limits.empty() ? "" : ", ") + std::to_string(*number) + of;
  }
  std::string key = guided_.ticket ? "comes sealed to a ticket" : "typed here, without echo";
  if (!all.key_file.empty()) key = "from " + all.key_file;
  if (!all.key_ref.empty()) key = all.key_ref + ", held already";
  if (keyless()) key = "none";
  return base::FormatFacts({{"  customer", all.customer},
                            {"  profile", all.profile + ": " + all.provider + ", " + all.model + (all.endpoint.empty() ? "" : ", " + all.endpoint)},
                            {"  key", key},
                            {"  mode", is_house() && all.mode == "hosted" ? "hosted: other customers' profiles may use this key" : all.mode},
                            {"  limits", limits.empty() ? "none" : limits},
                            {"  reason", all.reason}});
}

// One is the answer to a question, or "<". What it does not take is asked again.
Outcome<std::string> Guide::One(const Question& question) const {
  const std::string otherwise = question.otherwise();
  const std::string prompt = question.text + (otherwise.empty() ? "" : " [" + otherwise + "]") + ": ";
  for (std::size_t tries = 0; tries < kMostTries; ++tries) {
    const auto answer = AskLine(prompt);
    if (!answer) break;
    if (*answer == "<") return *answer;
    const auto taken = question.take(answer->empty() ? otherwise : *answer);
    if (taken) return *answer;
    Tell("  " + taken.error().text + "\n");
  }
  return Failed("NOT_CONFIRMED", "nothing was done: the questions were not answered");
}

Outcome<Guided> Guide::Ask() {
  AddWho();
  AddKey();
  AddSettings();
  Tell("One question after the other; < goes back, and nothing is done before the last. `keytool onboard --help` has a flag for each.\n");
  std::vector<std::size_t> asked;
  for (std::size_t at = 0; at <= questions_.size();) {
    const bool last = at == questions_.size();
    if (!last && !questions_[at].applies()) {
      ++at;
      continue;
    }
    if (last) {
      DropStale();
      Tell(Summary());
    }
    const Question sure{"Go on (y), or < to change something", [] { return true; }, Nothing, [](const std::string& answer) { return OneOf(answer, {"y", "yes"}); }};
    TRY_ASSIGN(const std::string answer, One(last ? sure : questions_[at]));
    if (answer != "<") {
      if (last) return std::move(guided_);
      asked.push_back(at++);
    } else if (!asked.empty()) {
      at = asked.back();
      asked.pop_back();
    }
  }
  return std::move(guided_);
}

}  // namespace

bool NeedsGuide(const OnboardOptions& options) { return options.customer.empty() || options.provider.empty() || options.model.empty(); }

Outcome<void> CheckGuide() {
  if (isatty(STDIN_FILENO) == 1) return {};
  return Usage("CUSTOMER, --provider and --model are needed: give them, or on a terminal answer the questions");
}

Outcome<Guided> AskOnboarding(const Session& session, const OnboardOptions& given) { return Guide(session, given).Ask(); }

}  // namespace strongroom::keytool
