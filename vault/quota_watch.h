// QuotaWatch: a profile that has spent its month's tokens (OVER_QUOTA, vault/quota_acts.cpp) is ACTIVE again by itself when the month is over, UTC.
#pragma once

#include "vault/errand.h"

namespace strongroom::vault {

class QuotaWatch final : public Errand {
 public:
  explicit QuotaWatch(OpenVault& vault);

 protected:
  Result<std::vector<std::string>> Find(Store& store, base::Micros until, std::int64_t most) const override;
  std::unique_ptr<Act> Make(const std::string& profile_ref) override;
  bool IsOfRow(Refusal why) const override;
};

}  // namespace strongroom::vault
