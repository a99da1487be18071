// A broker whose jobs run on the thread that asks: nobody waits.
#pragma once
#include <doctest/doctest.h>

#include <optional>

#include "broker/broker.h"

inline bool RunAtOnce(broker::Broker::Job job) {
  job();
  return true;
}

/// The one answer to the request, which has come when this returns.
inline std::expected<broker::IssuedToken, broker::Denied> AskAtOnce(
    broker::Broker& broker, const broker::Caller& caller, const broker::TokenRequest& request,
    const std::string& id) {
  std::optional<std::expected<broker::IssuedToken, broker::Denied>> answer;
  broker.IssueToken(caller, request, id, [&](auto result) {
    REQUIRE_FALSE(answer.has_value());
    answer = std::move(result);
  });
  REQUIRE(answer.has_value());
  return std::move(*answer);
}
