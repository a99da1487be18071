// broker/policy/person.h: a person, proven by the tenant at a sign-in.
#pragma once
#include <string>
#include <vector>

namespace broker::policy {

/// Object ids, in lower case.
struct Person {
  std::string oid;
  std::vector<std::string> groups;  // as they were when the person signed in
};

}  // namespace broker::policy
