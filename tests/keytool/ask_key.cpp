// Asks for a key on the terminal as keytool does, and writes one line to the descriptor named by its argument: "ok" and
// the key's length, or the error. Tests tell by the length whether it was the key they typed.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/process.h"
#include "keytool/key_input.h"
#include "vault/arena.h"

int main(int argc, char** argv) {
  using namespace strongroom;
  base::HardenProcess();
  if (argc != 2 || !vault::Arena::Open()) return 2;
  const auto key = keytool::KeyInput::FromTerminal("Key: ");
  const std::string line = key ? "ok " + std::to_string(key->size()) : key.error().Message();
  dprintf(std::atoi(argv[1]), "%s\n", line.c_str());
  return key ? 0 : 1;
}
