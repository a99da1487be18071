#include <doctest/doctest.h>

#include "broker/entra/token_request.h"

using broker::Exit, broker::Secret;
using broker::entra::Authority, broker::entra::Client, broker::entra::Wanted;

namespace {

const Authority kAuthority{"https://login.example", "tenant"};
constexpr const char* kJwtBearer =
    "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    "&client_assertion=";

std::string BodyOf(const broker::HttpRequest& request) {
  CHECK(request.method == "POST");
  CHECK(request.url == "https://login.example/tenant/oauth2/v2.0/token");
  CHECK(request.content_type == "application/x-www-form-urlencoded");
  CHECK(request.secret_headers.empty());
  return std::string(request.body.Expose(Exit::kTest));
}

Client Asserting(const std::string& id, const std::string& assertion) {
  return {id, {}, Secret::CopyOf(assertion)};
}

}  // namespace

TEST_CASE("An application asks on behalf of the user whose token it was shown") {
  const Secret user = Secret::CopyOf("Tc");
  const Wanted wanted{"https://graph.example/Mail.Read", R"({"access_token":{}})", "request"};
  CHECK(BodyOf(broker::entra::OnBehalfOfGrant(kAuthority, Asserting("app", "A"), user, wanted)) ==
        std::string("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer") +
            "&client_id=app" + kJwtBearer +
            "A&assertion=Tc&requested_token_use=on_behalf_of"
            "&scope=https%3A%2F%2Fgraph.example%2FMail.Read"
            "&claims=%7B%22access_token%22%3A%7B%7D%7D");
  CHECK(BodyOf(broker::entra::OnBehalfOfGrant(kAuthority, {"app", Secret::CopyOf("s"), {}}, user,
                                              {"r/.default", {}, {}})) ==
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&client_id=app"
        "&client_secret=s&assertion=Tc&requested_token_use=on_behalf_of&scope=r%2F.default");
}

TEST_CASE("A blueprint names the agent identity that it asks for") {
  const Wanted exchange{"api://AzureADTokenExchange/.default", {}, {}};
  CHECK(BodyOf(broker::entra::BlueprintGrant(kAuthority, Asserting("blueprint", "A"), "agent",
                                             exchange)) ==
        std::string("grant_type=client_credentials&client_id=blueprint") + kJwtBearer +
            "A&fmi_path=agent&scope=api%3A%2F%2FAzureADTokenExchange%2F.default");
}

TEST_CASE("An agent's own user account needs both tokens of the agent") {
  const Secret t2 = Secret::CopyOf("T2");
  CHECK(BodyOf(broker::entra::AgentUserGrant(kAuthority, Asserting("agent", "T1"), t2, "user-oid",
                                             {"https://graph.example/.default", {}, {}})) ==
        std::string("grant_type=user_fic&client_id=agent") + kJwtBearer +
            "T1&user_federated_identity_credential=T2&user_id=user-oid"
            "&scope=https%3A%2F%2Fgraph.example%2F.default");
}
