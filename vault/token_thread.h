// Cipher::TokenThread: a token on a thread of its own, so that a PKCS#11 module that does not answer holds nobody up for longer
// than is bearable: neither the start of vaultd, nor its end, nor a seal, nor the next ceremony.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "vault/token.h"

namespace strongroom::vault {

// Its calls are Token's, with one refusal more: kTokenSilent, where the module has not answered in time or the wait was ended.
// Nobody takes up what it answers later: an opened KEK is wiped as it comes, a KEK that it was to wrap already when the wait ends; the PIN,
// which may be on its way to the token, once the module lets go of it. Until then no other token is asked, at once refused.
class Cipher::TokenThread {
 public:
  // `most` is for one call, Open's for the login and all before it; `stop` ends any wait.
  struct Patience {
    base::Micros most;
    std::stop_token stop;
  };

  static Result<std::unique_ptr<TokenThread>> Open(const std::string& module, const TokenUri& key, const Token::Login& login,
                                                   Token::NoKey no_key, Patience patience);
  // The destructor waits, with the same patience, until the token is logged out.
  ~TokenThread();
  TokenThread(const TokenThread&) = delete;
  TokenThread& operator=(const TokenThread&) = delete;

  Result<Bytes> Seal(ByteView nonce, ByteView aad, SecretView plaintext);
  Result<SecretValue> OpenSealed(ByteView nonce, ByteView aad, ByteView ciphertext);

  // Unanswered is whether a thread is still in a module for somebody who waits no longer. A process then has to end without
  // running destructors: the module uses what they take away.
  static bool Unanswered();

 private:
  struct Desk;
  TokenThread(std::shared_ptr<Desk> desk, Patience patience) : desk_(std::move(desk)), patience_(std::move(patience)) {}
  static void JoinLeft();
  static Result<void> TakeTurn(const Patience& patience);
  static void Serve(Desk& desk);
  static Result<std::shared_ptr<SecretValue>> CopyOf(SecretView secret);
  template <typename T>
  Result<T> Ask(std::function<Result<T>(std::unique_ptr<Token>&)> call);

  const std::shared_ptr<Desk> desk_;
  const Patience patience_;
  std::thread thread_;
};

}  // namespace strongroom::vault
