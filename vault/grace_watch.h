// GraceWatch: a key that a rotation put aside is REVOKED by itself once its grace is over. It opened no more from then on; the act, which is
// vaultd's own and has its record, its epoch and its stop like any revoke, makes that final, and begins the wait for its destruction.
//
// Whether the provider still takes such a key nobody here asks: vaultd talks to no network, and a REVOKED key does not open.
#pragma once

#include "vault/errand.h"

namespace strongroom::vault {

class GraceWatch final : public Errand {
 public:
  explicit GraceWatch(OpenVault& vault);

 protected:
  Result<std::vector<std::string>> Find(Store& store, base::Micros until, std::int64_t most) const override;
  std::unique_ptr<Act> Make(const std::string& key_ref) override;
  bool IsOfRow(Refusal why) const override;
};

}  // namespace strongroom::vault
