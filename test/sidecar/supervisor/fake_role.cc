// Plays any role of purser for the supervisor's tests: the name it was started as decides which. It
// writes one line for each event to $FAKE/<role>.log, and obeys the files $FAKE/<role>.findings
// (text of kStarted), <role>.fault (text of kConfigured), <role>.mute (never says kStarted),
// <role>.latch (text of kLatched), <role>.keep (text of kKeepUnsealed), <role>.crash (exits at
// once) and <role>.rude (sends what no role may send).
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "sidecar/ipc/control.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"

namespace {

using namespace sidecar::ipc;

struct Pair {
  Fd pair;
  Fd peer;  // window only
  std::string line;
};

class FakeRole {
 public:
  FakeRole(std::string name, std::string folder, std::string arguments)
      : name_(std::move(name)), folder_(std::move(folder)), arguments_(std::move(arguments)) {}

  int Run() {
    if (Exists("crash")) return 7;
    Write("start " + arguments_ + " uid=" + std::to_string(getuid()));
    if (Exists("rude")) Say(MessageType::kHosts, "rude");
    // First, so that it was said whenever the role is killed.
    if (Exists("latch")) Say(MessageType::kLatched, Text("latch"));
    if (!Exists("mute")) Say(MessageType::kStarted, Exists("findings") ? Text("findings") : "[]");
    while (!stopped_) Turn();
    return 0;
  }

 private:
  std::string Path(const std::string& what) const { return folder_ + "/" + name_ + "." + what; }
  bool Exists(const std::string& what) const { return access(Path(what).c_str(), F_OK) == 0; }
  std::string Text(const std::string& what) const {
    std::ifstream in(Path(what));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Write(const std::string& line) const {
    std::ofstream(Path("log"), std::ios::app) << line << std::endl;
  }
  void Say(MessageType type, const std::string& text, const std::vector<int>& fds = {}) {
    std::string bytes;
    Encode(TextMessage{type, text}, &bytes);
    if (!Send(kControlFd, bytes, fds)) std::exit(8);
  }

  void Turn() {
    std::vector<pollfd> waiting{{kControlFd, POLLIN, 0}, {ledger_.get(), POLLIN, 0}};
    std::vector<uint64_t> ids;
    for (const auto& [id, pair] : pairs_) {
      waiting.push_back({pair.pair.get(), POLLIN, 0});
      waiting.push_back({pair.peer.get(), POLLIN, 0});
      ids.push_back(id);
    }
    poll(waiting.data(), waiting.size(), -1);
    if (waiting[0].revents != 0) OnControl();
    if (waiting[1].revents != 0) OnAppend();
    for (size_t i = 0; i < ids.size(); ++i) {
      if (waiting[2 + 2 * i].revents != 0) OnPair(ids[i]);
      if (waiting[3 + 2 * i].revents != 0 && pairs_.contains(ids[i])) OnPeer(ids[i]);
    }
  }

  void OnControl() {
    Message message;
    if (!Receive(kControlFd, &message)) std::exit(0);
    const auto type = TypeOf(message.bytes);
    if (!type) std::exit(9);
    if (*type == MessageType::kConnection) return OnConnection(message);
    const auto text = DecodeText(message.bytes);
    OnText(*type, text ? text->text : "?", message);
  }

  void OnText(MessageType type, const std::string& text, Message& message) {
    Write(std::to_string(static_cast<int>(type)) + " " + text +
          " fds=" + std::to_string(message.fds.size()));
    if (type == MessageType::kStop) stopped_ = true;
    if (type == MessageType::kPing && !Exists("deaf")) Say(MessageType::kWatchdog, "");
    if (type == MessageType::kSupervisorChannel) ledger_ = std::move(message.fds.at(0));
    if (type == MessageType::kConfigure || type == MessageType::kHosts) {
      if (!Exists("silent")) Say(MessageType::kConfigured, Exists("fault") ? Text("fault") : "");
    }
    if (type == MessageType::kUnseal && !text.starts_with("kept")) {
      const Fd kept(memfd_create("kept", MFD_CLOEXEC));
      Say(MessageType::kKeepUnsealed, Exists("keep") ? Text("keep") : "", {kept.get()});
    }
  }

  void OnConnection(Message& message) {
    const auto connection = DecodeConnection(message.bytes);
    if (!connection) std::exit(10);
    const bool window = name_ == "purser-window";
    Write("connection agent=" + connection->agent + " uid=" +
          std::to_string(connection->facts.uid) + " fds=" + std::to_string(message.fds.size()));
    if (Exists("ask")) {
      Say(MessageType::kStatusQuery, "1 ");
      Say(MessageType::kReloadRequest, "2 " + Text("ask"));
    }
    Pair pair;
    pair.pair = std::move(message.fds.at(window ? 1 : 0));
    if (window) pair.peer = std::move(message.fds.at(0));
    pair.line = connection->agent + " is uid " + std::to_string(connection->facts.uid) + "\n";
    pairs_.emplace(++next_, std::move(pair));
  }

  // The window passes each line of its peer on; the broker answers with what it was told of it.
  void OnPeer(uint64_t id) {
    Pair& pair = pairs_.at(id);
    char bytes[512];
    const ssize_t got = read(pair.peer.get(), bytes, sizeof(bytes));
    if (got <= 0) return Drop(id);
    std::string request;
    Encode(PlainRequest{MessageType::kWhoami, "r"}, &request);
    if (!Send(pair.pair.get(), request)) Drop(id);
  }

  void OnPair(uint64_t id) {
    Pair& pair = pairs_.at(id);
    Message message;
    if (!Receive(pair.pair.get(), &message)) return Drop(id);
    if (pair.peer.valid()) {
      const auto answer = DecodeAnswer(message.bytes);
      if (answer) (void)!write(pair.peer.get(), answer->body.data(), answer->body.size());
      return;
    }
    std::string answer;
    Encode(Answer{.status = 200, .body = pair.line}, &answer);
    if (!Send(pair.pair.get(), answer)) Drop(id);
  }

  void Drop(uint64_t id) {
    if (pairs_.at(id).peer.valid()) shutdown(pairs_.at(id).peer.get(), SHUT_RDWR);
    pairs_.erase(id);
    Write("dropped");
  }

  void OnAppend() {
    Message message;
    if (!Receive(ledger_.get(), &message)) return ledger_.Reset();
    const auto appends = DecodeAppends(message.bytes);
    if (!appends || appends->size() != 1) std::exit(11);
    const Append* append = appends->data();
    std::ostringstream line;
    line << "entry " << static_cast<int>(append->entry.type) << " " << append->entry.agent << " "
         << append->entry.reason;
    for (const auto& [key, value] : append->entry.change) {
      line << " " << key << "=";
      std::visit([&line](const auto& v) { line << v; }, value);
    }
    Write(line.str());
    if (Exists("slow")) return;
    const std::string leaf(32, 'l');
    std::string acks;
    EncodeAcks({Ack{append->id, 0, 1, leaf, ""}}, &acks);
    if (!Send(ledger_.get(), acks)) ledger_.Reset();
  }

  std::string name_, folder_, arguments_;
  Fd ledger_;
  uint64_t next_ = 0;
  std::map<uint64_t, Pair> pairs_;
  bool stopped_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  std::string arguments;
  const char* folder = std::getenv("FAKE");
  if (folder == nullptr) return 12;
  for (int i = 1; i < argc; ++i) arguments += (i > 1 ? " " : "") + std::string(argv[i]);
  return FakeRole(argv[0], folder, arguments).Run();
}
