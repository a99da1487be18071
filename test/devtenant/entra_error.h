// test/devtenant/entra_error.h: the error answers of Entra's token endpoint.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace devtenant {

/// Thrown by the endpoints; answered as Entra answers, with the AADSTS code.
struct EntraError {
  int code = 0;
  // Overrides of the table's row, for faults; empty: as the row says.
  std::string error, suberror, claims;
};

struct Answer {
  int status = 200;
  nlohmann::json body;
};

/// error, error_description, error_codes, timestamp, trace_id, correlation_id, error_uri, and
/// suberror and claims where there are any. The rows follow Microsoft's reference-error-codes.
Answer ErrorAnswer(const EntraError& error, const std::string& correlation_id);

}  // namespace devtenant
