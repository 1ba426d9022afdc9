// TicketFiles: tickets and sealed keys as files, and the phrases that people compare (vault/SEALED.md).
#pragma once

#include <string>

#include "keytool/problem.h"

namespace strongroom::keytool {

// PhraseCheck is how the command line answers the question for a check phrase: with the phrase, with --yes, or not.
struct PhraseCheck {
  std::string phrase;
  bool yes = false;
};

// ConfirmPhrase asks for the phrase that a person was told, three times at most, where the command line does not give it. `of` is what
// the phrase is of ("ticket", "sealed key"), `told` is shown in front of the question. A usage problem where there is no terminal to ask on.
Outcome<void> ConfirmPhrase(const PhraseCheck& check, const std::string& phrase, const std::string& of, const std::string& told);
// CheckPhraseSource is that usage problem, found before anything is done.
Outcome<void> CheckPhraseSource(const PhraseCheck& check);

// ReadTextFile reads a file of at most 8,192 bytes that somebody has sent; `what` names it in a problem.
Outcome<std::string> ReadTextFile(const std::string& what, const std::string& path);

// CheckNewFile is a problem where a file of that name is there already, or its directory is not: none is written over.
Outcome<void> CheckNewFile(const std::string& flag, const std::string& path);
// WriteNewFile writes it, durable on return.
Outcome<void> WriteNewFile(const std::string& flag, const std::string& path, const std::string& text);

}  // namespace strongroom::keytool
