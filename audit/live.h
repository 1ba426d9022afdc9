// Live: vaultd, as far as auditlog asks it anything. auditlog is whole without it, where there is only a copy to look at.
#pragma once

#include <expected>
#include <string>

#include "base/config.h"

namespace strongroom::audit {

class Live {
 public:
  struct Problem {
    std::string text;      // for a person
    bool refused = false;  // vaultd was there, and said no; where it could not do it, it is as good as away
  };
  virtual ~Live() = default;
  // NoteRead has it recorded that the caller reads the home's trail; `question` is the command's own words.
  virtual std::expected<void, Problem> NoteRead(const base::Config& config, const std::string& question) = 0;
  // Checkpoint is the trail's newest head, signed now: a signed note.
  virtual std::expected<std::string, Problem> Checkpoint(const base::Config& config) = 0;
};

}  // namespace strongroom::audit
