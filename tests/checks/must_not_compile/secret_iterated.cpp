// must fail: 'begin' was not declared | invalid range expression
#include "vault/secret.h"
int Sum(const strongroom::vault::SecretValue& value) {
  int sum = 0;
  for (auto byte : value) sum += byte;
  return sum;
}
