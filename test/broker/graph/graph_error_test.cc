#include "broker/graph/graph_error.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace broker::graph;
using nlohmann::json;

namespace {

broker::HttpResponse Answer(int status, const std::string& body) {
  broker::HttpResponse response;
  response.status = status;
  response.body = broker::Secret::CopyOf(body);
  return response;
}
std::string Body(const std::string& code, const std::string& message) {
  return json{
      {"error", {{"code", code}, {"message", message}, {"innerError", {{"request-id", "r-1"}}}}}}
      .dump();
}

}  // namespace

TEST_CASE("A refusal is told by what is done about it, in codes and never in prose") {
  struct Row {
    int status;
    Fault fault;
  };
  for (const Row& row :
       {Row{400, Fault::kRefused}, Row{401, Fault::kRefused}, Row{403, Fault::kMissingPermission},
        Row{404, Fault::kNotFound}, Row{409, Fault::kRefused}, Row{429, Fault::kThrottled},
        Row{500, Fault::kUnavailable}, Row{503, Fault::kUnavailable}}) {
    CAPTURE(row.status);
    const auto error = ReadGraphError(Answer(row.status, Body("Some_Code", "Jo Doe may not")), {});
    CHECK(error.fault == row.fault);
    CHECK(error.code == "Some_Code");
    CHECK(error.detail ==
          "Graph answered " + std::to_string(row.status) + " Some_Code (request-id r-1)");
  }
}

TEST_CASE("A missing permission says which to grant") {
  const auto error = ReadGraphError(Answer(403, Body("Authorization_RequestDenied", "no")), "A.B");
  CHECK(error.detail ==
        "Graph answered 403 Authorization_RequestDenied (request-id r-1): grant A.B");
}

TEST_CASE("Whatever the body is, the status counts, and what is no word is left out") {
  for (const char* body : {"", "{", "[]", "null", R"({"error":[]})", R"({"error":{"code":7}})",
                           R"({"error":{"code":"prose of two words"}})"}) {
    CAPTURE(body);
    const auto error = ReadGraphError(Answer(404, body), {});
    CHECK(error.fault == Fault::kNotFound);
    CHECK(error.code.empty());
    CHECK(error.detail == "Graph answered 404");
  }
}

TEST_CASE("Waiting has a bound, and a 429 always says how long") {
  CHECK(ReadGraphError(Answer(429, ""), {}).retry_after == kDefaultRetryAfter);
  auto late = Answer(503, "");
  late.retry_after = std::chrono::hours(5);
  CHECK(ReadGraphError(late, {}).retry_after == kMaxRetryAfter);
  CHECK_FALSE(ReadGraphError(Answer(500, ""), {}).retry_after.has_value());
}

TEST_CASE("Without an answer it is not known whether it was done") {
  CHECK(ReadTransportError({broker::ErrorCode::kUnavailable, "x"}).fault == Fault::kUnavailable);
  CHECK(ReadTransportError({broker::ErrorCode::kCorrupt, "x"}).fault == Fault::kInvalid);
}
