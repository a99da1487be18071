// purser-devtenant: a tenant for development and tests, playing Entra and a small Graph.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <array>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "test/devtenant/control.h"
#include "test/devtenant/encoding.h"
#include "test/devtenant/graph.h"
#include "test/devtenant/graph_chats.h"
#include "test/devtenant/identity_control.h"
#include "test/devtenant/instance_metadata.h"
#include "test/devtenant/key_vault_routes.h"
#include "test/devtenant/listener.h"
#include "test/devtenant/login_routes.h"

namespace {

using namespace devtenant;

struct Options {
  std::string dir, tenant_file;
  int login_port = 0, graph_port = 0, vault_port = 0, imds_port = 0;
};

constexpr char kNames[] = "DNS:localhost,IP:127.0.0.1";

ServerIdentities MakeIdentities(const Identity& authority) {
  const Identity stranger = CreateAuthority("Stranger");
  return {
      .good = IssueServerCertificate(authority, kNames, /*expired=*/false),
      .wrong_ca = IssueServerCertificate(stranger, kNames, /*expired=*/false),
      .wrong_name = IssueServerCertificate(authority, "DNS:elsewhere.example", /*expired=*/false),
      .expired = IssueServerCertificate(authority, kNames, /*expired=*/true)};
}

nlohmann::json ReadTenantFile(const std::string& path) {
  if (path.empty()) return nlohmann::json::object();
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

void WriteFile(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

// RFC 9110, 5.6.7: a server with a clock says what it shows, and a shifted one says that.
void TellTheTime(Routes& routes, Tenant& tenant) {
  routes.set_post_routing_handler([&tenant](const httplib::Request&, httplib::Response& response) {
    time_t now = 0;
    {
      const std::lock_guard lock(tenant.mutex);
      now = tenant.Now();
    }
    tm parts{};
    gmtime_r(&now, &parts);
    std::array<char, 64> text{};
    if (strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts) != 0 &&
        !response.has_header("Date"))
      response.set_header("Date", text.data());
  });
}

// Serves until a signal ends the process; the threads are not joined, they only serve tests.
void Run(Options options, Tenant& tenant) {
  static Routes login, graph, vault, imds, control;
  static const Identity authority = CreateAuthority("purser devtenant");
  static const ServerIdentities identities = MakeIdentities(authority);
  const std::filesystem::path dir = options.dir;
  std::filesystem::create_directories(dir);
  const int login_socket = BindLoopback(options.login_port);
  const int graph_socket = BindLoopback(options.graph_port);
  const int vault_socket = BindLoopback(options.vault_port);
  const int imds_socket = BindLoopback(options.imds_port);
  const int control_socket = BindUnix(dir / "control.sock");
  tenant.authority = "https://localhost:" + std::to_string(options.login_port);
  tenant.graph = "https://localhost:" + std::to_string(options.graph_port);
  tenant.vault_url = "https://localhost:" + std::to_string(options.vault_port);
  tenant.identity_header = NewGuid();
  tenant.arc_key_folder = (dir / "arc").string();
  std::filesystem::create_directories(tenant.arc_key_folder);
  tenant.signing = CreateAuthority("Token signing");
  tenant.platform = CreateAuthority("Platform token signing");
  tenant.signing_key_id = ToBase64Url(Sha1(ToDer(tenant.signing.certificate)));
  const nlohmann::json tenant_file = ReadTenantFile(options.tenant_file);
  tenant.directory = ParseDirectory(tenant_file);
  ParseKeyVault(tenant.vault, tenant_file.value("vault", nlohmann::json::object()), tenant.Now());
  AddLoginRoutes(login, tenant);
  AddGraphRoutes(graph, tenant);
  AddKeyVaultRoutes(vault, tenant);
  AddInstanceMetadataRoutes(imds, tenant);
  for (Routes* host : {&login, &graph, &vault}) TellTheTime(*host, tenant);
  AddControlRoutes(control, tenant);
  AddChatControl(control, tenant);
  AddIdentityControl(control, tenant);
  AddKeyVaultControl(control, tenant);
  const auto trouble = [&tenant](const char* listener) {
    return [&tenant, listener] {
      const std::lock_guard lock(tenant.mutex);
      return tenant.faults.TakeForConnection(listener);
    };
  };
  WriteFile(dir / "ca.pem", ToPem(authority.certificate));
  const nlohmann::json ready = {{"authority", tenant.authority},
                                {"graph", tenant.graph},
                                {"vault", tenant.vault_url},
                                {"imds", "http://127.0.0.1:" + std::to_string(options.imds_port)},
                                {"identity_header", tenant.identity_header},
                                {"arc_key_folder", tenant.arc_key_folder},
                                {"tenant_id", tenant.directory.tenant_id},
                                {"ca_file", (dir / "ca.pem").string()},
                                {"control", (dir / "control.sock").string()}};
  WriteFile(dir / "ready.json", ready.dump() + "\n");
  ServeTls(login_socket, login, identities, trouble("login"));
  ServeTls(graph_socket, graph, identities, trouble("graph"));
  ServeTls(vault_socket, vault, identities, trouble("vault"));
  ServePlain(imds_socket, imds);
  ServePlain(control_socket, control);
  std::cout << ready.dump() << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A tenant for development and tests: plays Entra and a small Graph on localhost.");
  Options options;
  app.add_option("--dir", options.dir, "Folder for ca.pem, control.sock, ready.json")->required();
  app.add_option("--tenant-file", options.tenant_file, "JSON of users and registrations");
  app.add_option("--login-port", options.login_port, "Port of the login host; 0: any");
  app.add_option("--graph-port", options.graph_port, "Port of Graph; 0: any");
  app.add_option("--vault-port", options.vault_port, "Port of the Key Vault; 0: any");
  app.add_option("--imds-port", options.imds_port, "Port of the managed identities' endpoint");
  CLI11_PARSE(app, argc, argv);
  signal(SIGPIPE, SIG_IGN);
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  static Tenant tenant;
  try {
    Run(options, tenant);
  } catch (const std::exception& error) {
    std::cerr << "purser-devtenant: " << error.what() << "\n";
    return 1;
  }
  int received = 0;
  sigwait(&ends, &received);
  _exit(0);  // connections are served in detached threads, which hold no state worth keeping
}
