// auditlog. Only this file knows vaultd, which records that its trail is read and signs its head: audit_cli is whole without it.
#include "audit/cli.h"
#include "audit/live.h"
#include "base/process.h"
#include "vault/client.h"

namespace strongroom {
namespace {

constexpr base::Micros kPatience = 10 * base::kMicrosPerSecond;

class Vaultd final : public audit::Live {
 public:
  std::expected<void, Problem> NoteRead(const base::Config& config, const std::string& question) override {
    const auto answer = Ask(config, vault::Operation::kNoteRead, vault::EncodeText(question));
    return answer ? std::expected<void, Problem>() : std::unexpected(answer.error());
  }

  std::expected<std::string, Problem> Checkpoint(const base::Config& config) override {
    const auto answer = Ask(config, vault::Operation::kSignCheckpoint, {});
    if (!answer) return std::unexpected(answer.error());
    auto note = vault::DecodeText(*answer);
    if (!note) return std::unexpected(Problem{"vaultd's answer cannot be read: are both of one build?", true});
    return std::move(*note);
  }

 private:
  static std::expected<Bytes, Problem> Ask(const base::Config& config, vault::Operation operation, Bytes body) {
    const auto options = vault::ClientOptionsFrom(config);
    if (!options) return std::unexpected(Problem{options.error().Message(), false});
    auto answer = vault::AskOnce(*options, operation, std::move(body), kPatience);
    if (!answer) return std::unexpected(Problem{answer.error().Message(), answer.error().refusal() != 0});
    return std::move(answer->body);
  }
};

}  // namespace
}  // namespace strongroom

int main(int argc, char** argv) {
  strongroom::base::HardenProcess();
  strongroom::Vaultd vaultd;
  return strongroom::audit::RunAuditlog(argc, argv, &vaultd);
}
