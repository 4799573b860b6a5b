// SPDX-License-Identifier: LGPL-2.1-or-later
//
// C++ values to D-Bus: signature_of<T>() and put(message, value).
#pragma once

#include <systemd/sd-bus.h>

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "bus/errors.h"
#include "bus/text.h"

namespace p2pd {

struct ObjectPath {
  std::string value;
  bool operator==(const ObjectPath&) const = default;
};

// A type that is not listed here has no definition, so it does not compile.
template <class T>
struct Wire;

template <class T, char Code, class Passed = T>
struct BasicWire {
  static std::string signature() { return std::string(1, Code); }
  static void put(sd_bus_message* message, T value) {
    const Passed passed = value;
    must(sd_bus_message_append_basic(message, Code, &passed), "append");
  }
};

template <>
struct Wire<bool> : BasicWire<bool, 'b', int> {};
template <>
struct Wire<std::uint8_t> : BasicWire<std::uint8_t, 'y'> {};
template <>
struct Wire<std::uint16_t> : BasicWire<std::uint16_t, 'q'> {};
template <>
struct Wire<std::int32_t> : BasicWire<std::int32_t, 'i'> {};
template <>
struct Wire<std::uint32_t> : BasicWire<std::uint32_t, 'u'> {};
template <>
struct Wire<std::uint64_t> : BasicWire<std::uint64_t, 't'> {};

template <>
struct Wire<std::string> {
  static std::string signature() { return "s"; }
  static void put(sd_bus_message* message, const std::string& value) {
    must(sd_bus_message_append_basic(message, 's', valid_utf8(value).c_str()), "append");
  }
};

template <>
struct Wire<ObjectPath> {
  static std::string signature() { return "o"; }
  static void put(sd_bus_message* message, const ObjectPath& path) {
    must(sd_bus_message_append_basic(message, 'o', path.value.c_str()), "append");
  }
};

template <class... T>
struct Wire<std::tuple<T...>> {
  static const std::string& contents() {
    static const std::string made = (Wire<T>::signature() + ...);
    return made;
  }
  static std::string signature() { return "(" + contents() + ")"; }
  static void put(sd_bus_message* message, const std::tuple<T...>& value) {
    must(sd_bus_message_open_container(message, 'r', contents().c_str()), "open struct");
    std::apply([&](const T&... members) { (Wire<T>::put(message, members), ...); }, value);
    must(sd_bus_message_close_container(message), "close struct");
  }
};

template <class T>
struct Wire<std::vector<T>> {
  static const std::string& contents() {
    static const std::string made = Wire<T>::signature();
    return made;
  }
  static std::string signature() { return "a" + contents(); }
  static void put(sd_bus_message* message, const std::vector<T>& values) {
    must(sd_bus_message_open_container(message, 'a', contents().c_str()), "open array");
    for (const auto& value : values) Wire<T>::put(message, value);
    must(sd_bus_message_close_container(message), "close array");
  }
};

template <class Key, class Value>
struct Wire<std::map<Key, Value>> {
  static const std::string& contents() {
    static const std::string made = Wire<Key>::signature() + Wire<Value>::signature();
    return made;
  }
  static std::string signature() { return "a{" + contents() + "}"; }
  static void put(sd_bus_message* message, const std::map<Key, Value>& values) {
    must(sd_bus_message_open_container(message, 'a', ("{" + contents() + "}").c_str()), "open array");
    for (const auto& [key, value] : values) {
      must(sd_bus_message_open_container(message, 'e', contents().c_str()), "open entry");
      Wire<Key>::put(message, key);
      Wire<Value>::put(message, value);
      must(sd_bus_message_close_container(message), "close entry");
    }
    must(sd_bus_message_close_container(message), "close array");
  }
};

template <class T>
[[nodiscard]] std::string signature_of() {
  return Wire<T>::signature();
}

template <class T>
void put(sd_bus_message* message, const T& value) {
  Wire<T>::put(message, value);
}

}  // namespace p2pd
