#pragma once
#include <map>
#include <string>
#include <vector>

#include "broker/ports/token_files.h"

/// TokenFiles in memory; what is not in `files` is not there. Not thread-safe.
class FakeTokenFiles final : public broker::TokenFiles {
 public:
  broker::Result<broker::Secret> Read(const std::string& place) override {
    read.push_back(place);
    const auto it = files.find(place);
    if (it == files.end()) return broker::Fail(broker::ErrorCode::kNotFound, "fake");
    return broker::Secret::CopyOf(it->second);
  }
  std::map<std::string, std::string> files;
  std::vector<std::string> read;  // places, oldest first
};
