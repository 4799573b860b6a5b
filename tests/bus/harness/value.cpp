// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/value.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace p2pd::test {

namespace {

void must(int result, const char* what) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), what);
}

template <class T>
const T& as(
    const std::variant<std::monostate, bool, std::uint64_t, std::int64_t, double, std::string, Value::List, Value::Dict>& data,
    const Value& value, const char* what) {
  if (const auto* found = std::get_if<T>(&data)) return *found;
  throw std::logic_error("not " + std::string(what) + ": " + value.dump());
}

struct Dumper {
  std::ostream& stream;

  void operator()(std::monostate) const { stream << "nothing"; }
  void operator()(bool flag) const { stream << (flag ? "true" : "false"); }
  void operator()(const std::string& text) const { stream << '"' << text << '"'; }
  template <class Number>
  void operator()(const Number& number) const {
    stream << number;
  }
  void operator()(const Value::List& list) const {
    stream << '[';
    for (std::size_t index = 0; index < list.size(); ++index) stream << (index == 0 ? "" : ", ") << list[index];
    stream << ']';
  }
  void operator()(const Value::Dict& dict) const {
    stream << '{';
    const char* separator = "";
    for (const auto& [key, value] : dict) stream << std::exchange(separator, ", ") << '"' << key << "\": " << value;
    stream << '}';
  }
};

template <class Wire>
Wire read_basic(sd_bus_message* message, char type) {
  Wire value{};
  must(sd_bus_message_read_basic(message, type, &value), "read");
  return value;
}

Value read_value(sd_bus_message* message);

std::string key_text(const Value& key) {
  auto text = key.dump();
  if (text.starts_with('"')) text = text.substr(1, text.size() - 2);
  return text;
}

Value read_container(sd_bus_message* message, char type, const std::string& contents) {
  must(sd_bus_message_enter_container(message, type, contents.c_str()), "enter");
  Value result;
  if (type == SD_BUS_TYPE_VARIANT) {
    result = read_value(message);
  } else if (contents.starts_with('{')) {
    Value::Dict dict;
    while (sd_bus_message_at_end(message, 0) == 0) {
      must(sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, nullptr), "enter entry");
      auto key = key_text(read_value(message));
      dict.emplace(std::move(key), read_value(message));
      must(sd_bus_message_exit_container(message), "exit entry");
    }
    result = std::move(dict);
  } else {
    Value::List list;
    while (sd_bus_message_at_end(message, 0) == 0) list.push_back(read_value(message));
    result = std::move(list);
  }
  must(sd_bus_message_exit_container(message), "exit");
  return result;
}

Value read_value(sd_bus_message* message) {
  char type = 0;
  const char* contents = nullptr;
  must(sd_bus_message_peek_type(message, &type, &contents), "peek");
  switch (type) {
    case 'b': return read_basic<int>(message, type) != 0;
    case 'y': return read_basic<std::uint8_t>(message, type);
    case 'n': return read_basic<std::int16_t>(message, type);
    case 'q': return read_basic<std::uint16_t>(message, type);
    case 'i': return read_basic<std::int32_t>(message, type);
    case 'u': return read_basic<std::uint32_t>(message, type);
    case 'x': return read_basic<std::int64_t>(message, type);
    case 't': return read_basic<std::uint64_t>(message, type);
    case 's':
    case 'o':
    case 'g': return read_basic<const char*>(message, type);
    case 'a':
    case 'r':
    case 'v': return read_container(message, type, contents == nullptr ? "" : contents);
    default: throw std::logic_error(std::string("p2pd must not send the type ") + type);
  }
}

Value from_json(const nlohmann::json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_unsigned()) return json.get<std::uint64_t>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_object()) {
    Value::Dict dict;
    for (const auto& [key, value] : json.items()) dict.emplace(key, from_json(value));
    return dict;
  }
  throw std::logic_error("a notice has no such value: " + json.dump());
}

struct Writer {
  sd_bus_message* message;

  void basic(char type, const void* value) const { must(sd_bus_message_append_basic(message, type, value), "append"); }
  void operator()(bool flag) const {
    const int wire = flag ? 1 : 0;
    basic('b', &wire);
  }
  void operator()(std::uint8_t number) const { basic('y', &number); }
  void operator()(std::int32_t number) const { basic('i', &number); }
  void operator()(std::uint32_t number) const { basic('u', &number); }
  void operator()(std::uint64_t number) const { basic('t', &number); }
  void operator()(const std::string& text) const { basic('s', text.c_str()); }
  void operator()(const Path& path) const { basic('o', path.text.c_str()); }
  void operator()(const Fd& fd) const { basic('h', &fd.fd); }
  void operator()(const Strings& strings) const {
    must(sd_bus_message_open_container(message, 'a', "s"), "open");
    for (const auto& text : strings) (*this)(text);
    must(sd_bus_message_close_container(message), "close");
  }
  void operator()(const Variant& variant) const {
    static constexpr const char* types[] = {"b", "y", "i", "u", "t", "s", "o", "h", "as"};
    must(sd_bus_message_open_container(message, 'v', types[variant.value.index()]), "open");
    std::visit(*this, variant.value);
    must(sd_bus_message_close_container(message), "close");
  }
  void operator()(const Options& options) const {
    must(sd_bus_message_open_container(message, 'a', "{sv}"), "open");
    for (const auto& [key, value] : options) {
      must(sd_bus_message_open_container(message, 'e', "sv"), "open");
      (*this)(key);
      (*this)(Variant{value});
      must(sd_bus_message_close_container(message), "close");
    }
    must(sd_bus_message_close_container(message), "close");
  }
};

}  // namespace

const std::string& Value::text() const { return as<std::string>(data_, *this, "text"); }
std::uint64_t Value::number() const { return as<std::uint64_t>(data_, *this, "a number from 0"); }
bool Value::flag() const { return as<bool>(data_, *this, "yes or no"); }
const Value::List& Value::list() const { return as<List>(data_, *this, "a list"); }
const Value::Dict& Value::dict() const { return as<Dict>(data_, *this, "a dict"); }

const Value& Value::operator[](std::size_t index) const {
  if (index < list().size()) return list()[index];
  throw std::out_of_range("no element " + std::to_string(index) + " in " + dump());
}

const Value& Value::operator[](std::string_view key) const {
  if (const auto found = dict().find(std::string(key)); found != dict().end()) return found->second;
  throw std::out_of_range("no key " + std::string(key) + " in " + dump());
}

bool Value::contains(const Value& what) const {
  if (const auto* entries = std::get_if<Dict>(&data_)) return entries->contains(what.text());
  return std::find(list().begin(), list().end(), what) != list().end();
}

std::size_t Value::size() const {
  if (const auto* entries = std::get_if<Dict>(&data_)) return entries->size();
  return list().size();
}

std::ostream& operator<<(std::ostream& stream, const Value& value) {
  std::visit(Dumper{stream}, value.data_);
  return stream;
}

std::string Value::dump() const {
  std::ostringstream stream;
  stream << *this;
  return stream.str();
}

Value read_body(sd_bus_message* message) {
  must(sd_bus_message_rewind(message, 1), "rewind");
  Value::List list;
  while (sd_bus_message_at_end(message, 0) == 0) list.push_back(read_value(message));
  return list;
}

Value read_json(const std::string& text) { return from_json(nlohmann::json::parse(text)); }

void append(sd_bus_message* message, const Arguments& arguments) {
  for (const auto& argument : arguments) std::visit(Writer{message}, static_cast<const Argument::variant&>(argument));
}

}  // namespace p2pd::test
