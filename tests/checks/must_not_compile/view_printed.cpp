// must fail: no match for 'operator<<' | invalid operands to binary expression
#include <iostream>

#include "vault/secret.h"
void Print(strongroom::vault::SecretView view) {
  std::cout << view;
}
