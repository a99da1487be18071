#include "broker/notification_card.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "broker/card_text.h"
#include "broker/policy/config_values.h"
#include "broker/policy/scopes.h"

namespace broker {
namespace {

using Json = nlohmann::ordered_json;
using nlohmann::json;
using Line = NotificationCard::Line;

// Teams takes about 28 KB; escapes for the way there come on top.
constexpr size_t kMaxMessageBytes = size_t{24} << 10;

std::string TextOf(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (found == object.end()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string SecondsOf(const json& object, const char* name) {
  return policy::Format(std::chrono::seconds(object.value(name, int64_t{0})));
}

// The path is one that the agent chose.
std::string ProcessText(const json& process) {
  std::string text = "user " + TextOf(process, "uid");
  if (process.contains("loginuid")) text += ", logged in as " + TextOf(process, "loginuid");
  if (process.contains("pid")) text += ", process " + TextOf(process, "pid");
  if (process.contains("unit")) text += ", unit " + QuotedText(TextOf(process, "unit"));
  if (process.contains("exe")) text += ", program " + QuotedText(TextOf(process, "exe"));
  return text;
}

std::string CredentialText(const json& credential) {
  std::string text = TextOf(credential, "name") + ", " + TextOf(credential, "kind");
  if (credential.contains("client_id")) text += ", client " + TextOf(credential, "client_id");
  if (credential.contains("user")) text += ", user " + TextOf(credential, "user");
  return CardText(text);
}

std::string GivesText(const json& shown) {
  const json terms = shown.value("terms", json::object());
  const auto uses = terms.value("uses", 1U);
  std::string text = uses == 1 ? "one token" : std::to_string(uses) + " tokens";
  text += " within " + SecondsOf(terms, "within_s") + " of the last yes";
  if (shown.contains("lifetime_s")) {
    text += ", good for at most " + SecondsOf(shown, "lifetime_s");
  }
  return text;
}

std::string Joined(const json& list, std::string_view separator) {
  std::string text;
  for (const json& one : list) {
    if (!text.empty()) text += separator;
    if (one.is_string()) text += one.get<std::string>();
  }
  return text;
}

Json Run(const std::string& text, bool bold) {
  Json run = {{"type", "TextRun"}, {"text", text}};
  if (bold) run["weight"] = "bolder";
  return run;
}

Json Paragraph(std::initializer_list<Json> runs) {
  Json inlines = Json::array();
  for (const Json& run : runs) inlines.push_back(run);
  return {{"type", "RichTextBlock"}, {"inlines", std::move(inlines)}};
}

Json LineBlock(const Line& line) {
  return Paragraph({Run(line.title + ": ", true), Run(line.text, false)});
}

Json CommandBlock(const std::string& command) {
  Json run = Run(command, false);
  run["fontType"] = "monospace";
  return Paragraph({std::move(run)});
}

std::string Message(const NotificationCard& card, bool whole) {
  Json body = Json::array();
  body.push_back(Paragraph({Run(card.headline, true)}));
  if (whole) {
    for (const Line& line : card.facts) body.push_back(LineBlock(line));
  } else {
    body.push_back(Paragraph({Run("There is more to it than fits here.", false)}));
  }
  if (whole && !card.claims.empty()) {
    Json items = Json::array();
    items.push_back(Paragraph({Run("The agent says of itself, and nobody has proven:", false)}));
    for (const Line& line : card.claims) items.push_back(LineBlock(line));
    body.push_back({{"type", "Container"}, {"style", "emphasis"}, {"items", std::move(items)}});
  }
  for (const std::string& command : card.commands) body.push_back(CommandBlock(command));
  if (!card.last.empty()) body.push_back(Paragraph({Run(card.last, false)}));
  const Json content = {{"$schema", "http://adaptivecards.io/schemas/adaptive-card.json"},
                        {"type", "AdaptiveCard"},
                        {"version", "1.2"},
                        {"body", std::move(body)}};
  const Json message = {
      {"type", "message"},
      {"attachments", Json::array({{{"contentType", "application/vnd.microsoft.card.adaptive"},
                                    {"contentUrl", nullptr},
                                    {"content", content}}})}};
  return message.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string ChatMessage(const NotificationCard& card) {
  const Json message = {{"body", {{"contentType", "html"}, {"content", ToHtml(card)}}}};
  return message.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Paragraphs(const std::vector<Line>& lines) {
  std::string html;
  for (const Line& line : lines) {
    html += "<p><b>" + HtmlText(line.title) + "</b>: " + HtmlText(line.text) + "</p>";
  }
  return html;
}

}  // namespace

NotificationCard CardOf(const std::string& instance, const Approval& approval,
                        const std::string& code) {
  json shown = json::parse(approval.shown, nullptr, /*allow_exceptions=*/false);
  if (!shown.is_object()) shown = json::object();
  NotificationCard card;
  card.headline = CardText(instance) + ": agent " + CardText(approval.agent) + " asks for approval";
  const auto add = [&](const char* title, std::string text) {
    card.facts.push_back({title, std::move(text)});
  };
  add("agent", CardText(approval.agent));
  add("process", ProcessText(shown.value("process", json::object())));
  add("for user",
      shown.contains("user") ? CardText(TextOf(shown, "user")) + ", proven" : "none was proven");
  add("wants", CardText(Joined(shown.value("scopes", json::array()), " ") + " at " +
                        TextOf(shown, "resource")));
  // Entra puts it into the token, too: a yes is to all of it.
  const json also = shown.value("can_also", json::array());
  if (!also.empty()) add("can also", CardText(Joined(also, " ")));
  add("credential", CredentialText(shown.value("credential", json::object())));
  add("by rule", CardText(TextOf(shown, "rule")));
  add("gets", GivesText(shown));
  if (shown.contains("claims")) add("challenge", QuotedText(TextOf(shown, "claims")));
  const json lately = shown.value("lately", json::array());
  add("lately", lately.empty() ? "nothing else" : CardText(Joined(lately, "; ")));
  add("digest", CardText(approval.digest));
  const json claimed = shown.value("claimed", json::object());
  for (const char* name : {"purpose", "task", "requested_by"}) {
    if (claimed.contains(name)) card.claims.push_back({name, QuotedText(TextOf(claimed, name))});
  }
  card.commands = {"purser approve " + CardText(approval.id),
                   "purser deny " + CardText(approval.id)};
  card.last = "To be decided within " +
              policy::Format(std::chrono::seconds(approval.terms.expires)) +
              ", with one of these commands on the machine";
  if (code.empty()) {
    card.last += ". This message decides nothing.";
    return card;
  }
  card.answers = {"yes " + code, "no " + code};
  card.last +=
      ", or with one of these answers in this chat, as they stand, from an approver's own user. "
      "What is edited, or said by anybody else, decides nothing.";
  return card;
}

bool ShowsAll(const NotificationCard& card) {
  const auto whole = [](const Line& line) {
    // What is quoted may stand in the middle; no quotation has the end of one in it.
    return !line.text.ends_with("…") && !line.text.contains("…”");
  };
  return std::ranges::all_of(card.facts, whole) && ChatMessage(card).size() <= kMaxMessageBytes;
}

NotificationCard CardOf(const std::string& instance, const Notice& notice) {
  NotificationCard card;
  card.headline = CardText(instance) + ": agent " + CardText(notice.agent) + " was given a token";
  card.facts = {{"agent", CardText(notice.agent)},
                {"for", CardText(policy::JoinNames(notice.scopes, " "))},
                {"credential", CardText(notice.credential)},
                {"by rule", CardText(notice.rules)},
                {"entry", std::to_string(notice.seq)}};
  card.commands = {"purser revoke --token " + std::to_string(notice.seq)};
  card.last = "Nobody is asked: the rule says that you are told.";
  return card;
}

std::string ToWorkflowMessage(const NotificationCard& card) {
  std::string message = Message(card, /*whole=*/true);
  return message.size() <= kMaxMessageBytes ? message : Message(card, /*whole=*/false);
}

std::string ToChatMessage(const NotificationCard& card) {
  std::string message = ChatMessage(card);
  if (message.size() <= kMaxMessageBytes) return message;
  NotificationCard less = card;
  less.claims.clear();
  less.facts = {{"more", "there is more to it than fits here"}};
  return ChatMessage(less);
}

std::string ToHtml(const NotificationCard& card) {
  std::string html = "<h3>" + HtmlText(card.headline) + "</h3>" + Paragraphs(card.facts);
  if (!card.claims.empty()) {
    html += "<p>The agent says of itself, and nobody has proven:</p><blockquote>" +
            Paragraphs(card.claims) + "</blockquote>";
  }
  for (const std::string& command : card.commands) {
    html += "<p><code>" + HtmlText(command) + "</code></p>";
  }
  for (const std::string& answer : card.answers) {
    html += "<p><code>" + HtmlText(answer) + "</code></p>";
  }
  return card.last.empty() ? html : html + "<p>" + HtmlText(card.last) + "</p>";
}

}  // namespace broker
