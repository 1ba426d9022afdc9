// What tests/vectors/sealed_keys.mjs has made: tickets and keys sealed to them by libsodium's JavaScript build.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace strongroom::vault {

struct SealedKeyVector {
  Bytes private_key;
  std::string key, ticket, ticket_phrase, blob, blob_phrase;
};

inline std::vector<SealedKeyVector> SealedKeyVectors() {
  std::ifstream file(STRONGROOM_VECTORS "/sealed_keys.txt");
  std::vector<SealedKeyVector> vectors;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream fields(line);
    const auto next = [&fields] {
      std::string hex;
      fields >> hex;
      return base::Unhex(hex).value();
    };
    const auto text = [&next] { return std::string(base::AsText(next())); };
    SealedKeyVector& one = vectors.emplace_back();
    one.private_key = next();
    one.key = text();
    one.ticket = text();
    one.ticket_phrase = text();
    one.blob = text();
    one.blob_phrase = text();
  }
  return vectors;
}

}  // namespace strongroom::vault
