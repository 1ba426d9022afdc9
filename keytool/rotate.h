// rotate: a new version of a key; the old one goes on for its grace.
#pragma once

#include <optional>
#include <string>

#include "keytool/context.h"
#include "keytool/intake.h"
#include "keytool/problem.h"
#include "keytool/probe.h"

namespace strongroom::keytool {

struct RotateOptions {
  std::string key_ref, key_file, grace = "30d", reason;
  bool no_verify = false;
};

// Rotate holds and checks the new key before it touches the old one.
Outcome<void> Rotate(const Context& context, const RotateOptions& options);

// PutNewVersion holds a new key that arrives in some way, checks it and puts it in the old one's place. It prints nothing.
struct Rotated {
  vault::RotateKeyRequest request;
  std::optional<Probed> probed;  // nullopt: nobody was asked
};
Outcome<Rotated> PutNewVersion(const Session& session, const RotateOptions& options, const std::string& reason, const Arrival& arrival);

// RotateKey is Rotate with a new key that arrives in another way.
Outcome<void> RotateKey(const Session& session, const RotateOptions& options, const std::string& reason, const Arrival& arrival);

// CheckReplaceable is a problem where no new version can take the key's place.
Outcome<void> CheckReplaceable(const Session& session, const std::string& key_ref);

}  // namespace strongroom::keytool
