// broker/card_text.h: text for messages that other programs draw. Pure.
#pragma once
#include <string>
#include <string_view>

namespace broker {

/// A name or number of the configuration or the kernel, for a card: one line without control or
/// bidirectional characters, in which what could mean markup anywhere (Markdown, HTML, templates,
/// mentions) stands as a character that looks alike and means nothing. That holds whatever draws
/// it: a TextRun of an Adaptive Card knows no Markdown, and this does not rely on it. At most
/// `most` bytes; what is cut off ends in "…".
std::string CardText(std::string_view text, size_t most = 1000);

/// What an agent says of itself: as CardText, between “ and ”, which do not occur in it; nothing of
/// it looks like an address either, so that no program makes a link of it.
std::string QuotedText(std::string_view text);

/// For HTML, where text stands and between double quotes: none of & < > " ' is left.
std::string HtmlText(std::string_view text);

}  // namespace broker
