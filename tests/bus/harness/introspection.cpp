// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/introspection.h"

#include <map>
#include <regex>

#include "harness/process.h"
#include "test_paths.h"

namespace p2pd::test {

namespace {

struct Tag {
  std::string name;
  bool is_end = false;    // </name>
  bool is_empty = false;  // <name/>
  std::map<std::string, std::string> attributes;
};

std::string without_comments(std::string text) {
  for (auto begin = text.find("<!--"); begin != std::string::npos; begin = text.find("<!--", begin))
    text.erase(begin, text.find("-->", begin) + 3 - begin);
  return text;
}

// Enough XML for introspection documents: no entities, no text between tags.
std::vector<Tag> tags_of(const std::string& document) {
  static const std::regex tag("<(/?)([a-z]+)([^>]*?)(/?)>");
  static const std::regex attribute("([A-Za-z]+)=\"([^\"]*)\"");
  std::vector<Tag> tags;
  const auto text = without_comments(document);
  for (std::sregex_iterator found(text.begin(), text.end(), tag), end; found != end; ++found) {
    Tag read{.name = (*found)[2], .is_end = (*found)[1].length() != 0, .is_empty = (*found)[4].length() != 0, .attributes = {}};
    const std::string inside = (*found)[3];
    for (std::sregex_iterator each(inside.begin(), inside.end(), attribute); each != end; ++each)
      read.attributes[(*each)[1]] = (*each)[2];
    tags.push_back(std::move(read));
  }
  return tags;
}

// Collects the lines of one interface.
class Reader {
 public:
  explicit Reader(std::string interface) : interface_(std::move(interface)) {}

  void read(const Tag& tag) {
    const bool is_closing = tag.is_end || tag.is_empty;
    if (tag.name == "interface") is_inside_ = !tag.is_end && tag.attributes.at("name") == interface_;
    if (!is_inside_) return;
    if (tag.name == "arg") add_argument(tag);
    if (tag.name == "annotation" && !tag.is_end) annotate(tag);
    if (tag.name != "method" && tag.name != "signal" && tag.name != "property") return;
    if (!tag.is_end) begin(tag);
    if (is_closing) end();
  }

  std::set<std::string> lines;
  std::vector<std::string> methods;

 private:
  void begin(const Tag& tag) {
    kind_ = tag.name;
    line_ = kind_ + " " + tag.attributes.at("name");
    arguments_.clear();
    emits_ = "true";  // the specification's default
    if (kind_ == "method") methods.push_back(tag.attributes.at("name"));
    if (kind_ == "property") line_ += " " + tag.attributes.at("type") + " " + tag.attributes.at("access");
  }
  void add_argument(const Tag& tag) {
    if (tag.is_end) return;
    const auto direction = tag.attributes.find("direction");
    arguments_ += (arguments_.empty() ? "" : ", ") + tag.attributes.at("type") + " " + tag.attributes.at("name");
    if (kind_ == "method") arguments_ += direction == tag.attributes.end() ? " in" : " " + direction->second;
  }
  void annotate(const Tag& tag) {
    if (tag.attributes.at("name") == "org.freedesktop.DBus.Property.EmitsChangedSignal") emits_ = tag.attributes.at("value");
  }
  void end() { lines.insert(line_ + (kind_ == "property" ? " emits " + emits_ : "(" + arguments_ + ")")); }

  std::string interface_;
  bool is_inside_ = false;
  std::string kind_;
  std::string line_;
  std::string arguments_;
  std::string emits_;
};

Reader read_interface(const std::string& document, const std::string& interface) {
  Reader reader(interface);
  for (const auto& tag : tags_of(document)) reader.read(tag);
  return reader;
}

}  // namespace

std::set<std::string> members_of(const std::string& document, const std::string& interface) {
  return read_interface(document, interface).lines;
}

const std::vector<ContractInterface>& contract() {
  static const auto interfaces = [] {
    std::vector<ContractInterface> read;
    for (const std::string name : {"org.p2pd1.Manager", "org.p2pd1.Device", "org.p2pd1.Holding", "org.p2pd1.Mapping"}) {
      auto reader = read_interface(read_file(std::string(P2PD_DBUS_XML) + "/" + name + ".xml"), name);
      read.push_back({.name = name, .members = std::move(reader.lines), .methods = std::move(reader.methods)});
    }
    return read;
  }();
  return interfaces;
}

}  // namespace p2pd::test
