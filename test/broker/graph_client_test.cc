#include "broker/graph_client.h"

#include "broker/graph/application.h"
#include "test/broker/credential_kinds_setup.h"

using namespace credential_kinds;
using namespace entra_answers;
using broker::GraphClient, broker::graph::Fault;

namespace {

struct GraphSetup : Setup {
  broker::GraphResult<broker::SharedToken> Token() {
    return graph.Token(config, config.credentials.at("app"), {});
  }
  GraphClient graph{http, minter, clock};
};

}  // namespace

TEST_CASE("A request to Graph has the credential's own token, read after its entry in the ledger") {
  GraphSetup setup;
  setup.http.Push(200, TokenBody(AppClaims()));
  const auto token = setup.Token();
  REQUIRE(token.has_value());
  REQUIRE_FALSE(setup.ledger.entries.empty());
  CHECK(setup.ledger.entries[0].target_kind == "graph");
  CHECK(Holds(setup.Body(0), "scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"));

  setup.http.Push(200, "answer");
  const auto answer =
      setup.graph.Send(*token, broker::graph::ReadApplication({kGraph, kClient}), {});
  REQUIRE(answer.has_value());
  CHECK(answer->Expose(broker::Exit::kTest) == "answer");
  CHECK(setup.http.seen[1].authorization == "Bearer " + Jwt(AppClaims()));
}

TEST_CASE("A token for another audience, tenant, application or user is not sent") {
  const nlohmann::json wrong[] = {{{"aud", "https://vault.azure.net"}},
                                  {{"tid", "8f0c1a52-0000-4000-8000-00000000dead"}},
                                  {{"appid", "11111111-0000-4000-8000-00000000dead"}},
                                  {{"idtyp", "user"}, {"roles", nullptr}, {"scp", "Mail.Read"}}};
  for (const auto& change : wrong) {
    CAPTURE(change.dump());
    GraphSetup setup;
    nlohmann::json claims = AppClaims();
    claims.merge_patch(change);
    setup.http.Push(200, TokenBody(claims));
    const auto token = setup.Token();
    REQUIRE_FALSE(token.has_value());
    CHECK(token.error().fault == Fault::kNoToken);
    CHECK(Holds(token.error().detail, "minted_mismatch"));
  }
}

TEST_CASE("Without a token nothing is asked, and the reason is told") {
  GraphSetup setup;
  setup.http.Push(401, ErrorBody("invalid_client", 7000222));
  const auto token = setup.Token();
  REQUIRE_FALSE(token.has_value());
  CHECK(token.error().fault == Fault::kNoToken);
  CHECK(Holds(token.error().detail, "credential app (credential_rejected)"));
  CHECK(setup.http.seen.size() == 1);
}

TEST_CASE("A refusal says what to grant; a lost answer says that it is not known") {
  GraphSetup setup;
  setup.http.Push(200, TokenBody(AppClaims()));
  const auto token = setup.Token();
  REQUIRE(token.has_value());
  setup.http.Push(403, R"({"error":{"code":"Authorization_RequestDenied"}})");
  const auto denied = setup.graph.Send(*token, broker::graph::AddPassword({kGraph, kClient}, {}),
                                       "Some.Permission");
  REQUIRE_FALSE(denied.has_value());
  CHECK(denied.error().fault == Fault::kMissingPermission);
  CHECK(Holds(denied.error().detail, "grant Some.Permission"));
  setup.http.PushFailure(broker::ErrorCode::kUnavailable, "deadline");
  const auto lost = setup.graph.Send(*token, broker::graph::AddPassword({kGraph, kClient}, {}), {});
  REQUIRE_FALSE(lost.has_value());
  CHECK(lost.error().fault == Fault::kUnavailable);
}
