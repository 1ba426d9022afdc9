// Session: a home, its configuration, and the way to ask its vaultd.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/config.h"
#include "keytool/context.h"
#include "keytool/problem.h"
#include "vault/protocol.h"
#include "vault/secret.h"

namespace strongroom::keytool {

class Session {
 public:
  // Open reads the home's strongroom.toml. It connects to nothing yet.
  static Outcome<Session> Open(const Context& context);

  // Ask sends one request and returns the answer's body. `about` names what the person asked for, and stands before a
  // refusal's own line. A vaultd that is away, or a socket of somebody else's, has a line that says what to do.
  Outcome<Bytes> Ask(vault::Operation operation, Bytes body, const std::string& about,
                     std::optional<vault::SecretValue> secret = std::nullopt) const;
  // AskText is Ask where the answer is one text field: a JSON document, or a new KEY_REF.
  Outcome<std::string> AskText(vault::Operation operation, Bytes body, const std::string& about,
                               std::optional<vault::SecretValue> secret = std::nullopt) const;
  // AskList asks for page after page; the result is one JSON array of all rows.
  Outcome<std::string> AskList(vault::Operation operation, const std::string& customer,
                               const std::string& status) const;
  // CheckAnswers asks for the status, so that a person is not asked for a key that could not be handed over.
  Outcome<void> CheckAnswers() const;

  const base::Config& config() const { return config_; }
  const Context& context() const { return context_; }

 private:
  // Propose is what becomes of an act that needs two people: the second one is waited for.
  Problem Propose(vault::Operation operation, ByteView body, const std::string& about) const;
  Session(Context context, base::Config config) : context_(std::move(context)), config_(std::move(config)) {}
  Problem Explain(const Error& error, const std::string& about) const;

  Context context_;
  base::Config config_;
};

}  // namespace strongroom::keytool
