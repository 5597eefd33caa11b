#include "vrrp/kernel/nftables.h"

#include <fmt/format.h>
#include <netinet/in.h>  // before the kernel's headers, which then leave out what it defines
#include <poll.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_arp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "vrrp/kernel/netlink_reader.h"
#include "vrrp/kernel/netlink_writer.h"

#ifndef NFT_TABLE_F_OWNER
#define NFT_TABLE_F_OWNER 0x2  // since Linux 5.12; the headers may be older than the kernel
#endif

namespace vipair::vrrp {
namespace {

constexpr const char* kChain = "vipair";
constexpr const char* kAddresses = "addresses";
constexpr const char* kOpenedHere = "opened_here";
constexpr std::uint32_t kAddressesId = 1;  // of a set, within its transaction
constexpr std::uint32_t kOpenedHereId = 2;
constexpr int kPriorityRaw = -300;
constexpr int kPriorityFilter = 0;
constexpr std::uint8_t kRelayedTtl = 2;           // dup takes one: the old Active may receive it but not forward it
constexpr std::size_t kElementsPerMessage = 512;  // at most 64 bytes each: an attribute counts in 16 bits
constexpr int kTransactionSizeMax = 1 << 20;      // bytes; one datagram
constexpr int kAnswerTimeoutMs = 100;             // never reached: the answer is there when the send returns

// nft(8)'s numbers for data types; the kernel keeps them for it, so that it can list our sets.
constexpr std::uint32_t kTypeIpv4 = 7;
constexpr std::uint32_t kTypeIpv6 = 8;
constexpr std::uint32_t kTypePort = 13;
constexpr std::uint32_t kTypeBits = 6;  // per part of a concatenation

constexpr std::uint8_t kTcpSyn = 0x02;
constexpr std::uint8_t kTcpAck = 0x10;
constexpr std::uint32_t kTcpFlagsOffset = 13;
constexpr std::uint8_t kNeighbourSolicitation = 135;
constexpr std::uint8_t kNeighbourAdvertisement = 136;

// Where things are in an IP header, and which registers (of four bytes) the key of a connection takes.
struct Layout {
  std::uint32_t address_size;
  std::uint32_t source_offset;
  std::uint32_t destination_offset;
  std::uint32_t ttl_offset;
  std::uint32_t address_words() const { return address_size / 4; }
  std::uint32_t key_size() const { return 2 * (address_size + 4); }
};
Layout layout(IpFamily family) { return family == IpFamily::ipv4 ? Layout{4, 12, 16, 8} : Layout{16, 8, 24, 7}; }

constexpr std::uint32_t register_of(std::uint32_t word) { return NFT_REG32_00 + word; }

class Transaction {
 public:
  explicit Transaction(IpFamily family)
      : Transaction(static_cast<std::uint8_t>(family == IpFamily::ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6)) {}
  explicit Transaction(std::uint8_t family) : family_(family) { bound(NFNL_MSG_BATCH_BEGIN); }
  Bytes finish() {
    bound(NFNL_MSG_BATCH_END);
    return Bytes(out_.bytes().begin(), out_.bytes().end());
  }
  NetlinkWriter& message(int type, int flags) {
    nfgenmsg header{};
    header.nfgen_family = family_;
    out_.message(NFNL_SUBSYS_NFTABLES << 8 | type, flags, ++sequence_, header);
    return out_;
  }

 private:
  void bound(int type) {
    nfgenmsg header{};
    header.res_id = htons(NFNL_SUBSYS_NFTABLES);
    // only the end asks for an answer: it comes when all is in force, an error of any message comes instead
    out_.message(type, type == NFNL_MSG_BATCH_END ? NLM_F_ACK : 0, ++sequence_, header);
  }
  NetlinkWriter out_;
  std::uint8_t family_;
  std::uint32_t sequence_ = 0;
};

// One rule's expressions.
class Rule {
 public:
  explicit Rule(NetlinkWriter& out) : out_(out) {}

  void load_meta(std::uint32_t key, std::uint32_t reg) {
    expression("meta", [&] {
      out_.attribute_be32(NFTA_META_KEY, key);
      out_.attribute_be32(NFTA_META_DREG, reg);
    });
  }
  void load_payload(std::uint32_t base, std::uint32_t offset, std::uint32_t size, std::uint32_t reg) {
    expression("payload", [&] {
      out_.attribute_be32(NFTA_PAYLOAD_DREG, reg);
      out_.attribute_be32(NFTA_PAYLOAD_BASE, base);
      out_.attribute_be32(NFTA_PAYLOAD_OFFSET, offset);
      out_.attribute_be32(NFTA_PAYLOAD_LEN, size);
    });
  }
  void store_network_byte(std::uint32_t offset, std::uint32_t reg, bool has_checksum) {
    expression("payload", [&] {
      out_.attribute_be32(NFTA_PAYLOAD_SREG, reg);
      out_.attribute_be32(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
      out_.attribute_be32(NFTA_PAYLOAD_OFFSET, offset);
      out_.attribute_be32(NFTA_PAYLOAD_LEN, 1);
      if (has_checksum) {
        out_.attribute_be32(NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
        out_.attribute_be32(NFTA_PAYLOAD_CSUM_OFFSET, 10);
      }
    });
  }
  void mask_byte(std::uint32_t reg, std::uint8_t mask) {
    const std::uint8_t zero = 0;
    expression("bitwise", [&] {
      out_.attribute_be32(NFTA_BITWISE_SREG, reg);
      out_.attribute_be32(NFTA_BITWISE_DREG, reg);
      out_.attribute_be32(NFTA_BITWISE_LEN, 1);
      data(NFTA_BITWISE_MASK, {&mask, 1});
      data(NFTA_BITWISE_XOR, {&zero, 1});
    });
  }
  void require_equal(std::uint32_t reg, ByteView value) {
    expression("cmp", [&] {
      out_.attribute_be32(NFTA_CMP_SREG, reg);
      out_.attribute_be32(NFTA_CMP_OP, NFT_CMP_EQ);
      data(NFTA_CMP_DATA, value);
    });
  }
  void require_in_set(std::uint32_t reg, const char* set, std::uint32_t id, bool is_inverted) {
    expression("lookup", [&] {
      out_.attribute_text(NFTA_LOOKUP_SET, set);
      out_.attribute_be32(NFTA_LOOKUP_SREG, reg);
      out_.attribute_be32(NFTA_LOOKUP_SET_ID, id);
      if (is_inverted) out_.attribute_be32(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    });
  }
  void add_to_set(std::uint32_t reg, const char* set, std::uint32_t id) {
    expression("dynset", [&] {
      out_.attribute_text(NFTA_DYNSET_SET_NAME, set);
      out_.attribute_be32(NFTA_DYNSET_SET_ID, id);
      out_.attribute_be32(NFTA_DYNSET_OP, NFT_DYNSET_OP_ADD);
      out_.attribute_be32(NFTA_DYNSET_SREG_KEY, reg);
    });
  }
  void load_immediate(std::uint32_t reg, ByteView value) {
    expression("immediate", [&] {
      out_.attribute_be32(NFTA_IMMEDIATE_DREG, reg);
      data(NFTA_IMMEDIATE_DATA, value);
    });
  }
  void duplicate(std::uint32_t address_reg, std::uint32_t device_reg) {
    expression("dup", [&] {
      out_.attribute_be32(NFTA_DUP_SREG_ADDR, address_reg);
      out_.attribute_be32(NFTA_DUP_SREG_DEV, device_reg);
    });
  }
  void verdict(int code) {
    expression("immediate", [&] {
      out_.attribute_be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
      out_.nested(NFTA_IMMEDIATE_DATA, [&] {
        out_.nested(NFTA_DATA_VERDICT,
                    [&] { out_.attribute_be32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code)); });
      });
    });
  }

 private:
  template <class Fill>
  void expression(const char* name, Fill&& fill) {
    out_.nested(NFTA_LIST_ELEM, [&] {
      out_.attribute_text(NFTA_EXPR_NAME, name);
      out_.nested(NFTA_EXPR_DATA, fill);
    });
  }
  void data(int type, ByteView value) {
    out_.nested(type, [&] { out_.attribute(NFTA_DATA_VALUE, value); });
  }
  NetlinkWriter& out_;
};

template <class Value>
ByteView bytes_of(const Value& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

Bytes connection_key(const TcpConnection& connection) {
  Bytes key;
  ByteWriter writer(key);
  for (const IpEndpoint* end : {&connection.remote, &connection.local}) {
    writer.bytes(end->address.bytes());
    writer.u16(end->port);
    writer.u16(0);  // every part fills whole registers
  }
  return key;
}

ByteView address_bytes(const IpAddress& address) { return address.bytes(); }

void add_set(Transaction& transaction, std::string_view table, const char* name, std::uint32_t id,
             std::uint32_t flags, std::uint32_t key_type, std::uint32_t key_size, std::uint32_t size) {
  NetlinkWriter& out = transaction.message(NFT_MSG_NEWSET, NLM_F_CREATE);
  out.attribute_text(NFTA_SET_TABLE, table);
  out.attribute_text(NFTA_SET_NAME, name);
  out.attribute_be32(NFTA_SET_FLAGS, flags);
  out.attribute_be32(NFTA_SET_KEY_TYPE, key_type);
  out.attribute_be32(NFTA_SET_KEY_LEN, key_size);
  out.attribute_be32(NFTA_SET_ID, id);
  if (size != 0) out.nested(NFTA_SET_DESC, [&] { out.attribute_be32(NFTA_SET_DESC_SIZE, size); });
}

template <class Items, class KeyOf>
void change_elements(Transaction& transaction, int type, std::string_view table, const char* set,
                     const Items& items, KeyOf&& key_of) {
  for (std::size_t first = 0; first < items.size(); first += kElementsPerMessage) {
    const std::size_t end = std::min(items.size(), first + kElementsPerMessage);
    NetlinkWriter& out = transaction.message(type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);
    out.attribute_text(NFTA_SET_ELEM_LIST_TABLE, table);
    out.attribute_text(NFTA_SET_ELEM_LIST_SET, set);
    out.nested(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
      for (std::size_t i = first; i < end; ++i) {
        out.nested(NFTA_LIST_ELEM, [&] {
          out.nested(NFTA_SET_ELEM_KEY, [&] { out.attribute(NFTA_DATA_VALUE, key_of(items[i])); });
        });
      }
    });
  }
}

template <class Fill>
void add_rule(Transaction& transaction, std::string_view table, Fill&& fill) {
  NetlinkWriter& out = transaction.message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
  out.attribute_text(NFTA_RULE_TABLE, table);
  out.attribute_text(NFTA_RULE_CHAIN, kChain);
  out.nested(NFTA_RULE_EXPRESSIONS, [&] {
    Rule rule(out);
    fill(rule);
  });
}

// One that is owned by the socket that makes it vanishes with that.
void begin_table(Transaction& transaction, std::string_view name, std::uint32_t flags = NFT_TABLE_F_OWNER) {
  NetlinkWriter& table = transaction.message(NFT_MSG_NEWTABLE, NLM_F_CREATE);
  table.attribute_text(NFTA_TABLE_NAME, name);
  table.attribute_be32(NFTA_TABLE_FLAGS, flags);
}

void add_chain(Transaction& transaction, std::string_view table, std::uint32_t hook, int priority) {
  NetlinkWriter& chain = transaction.message(NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
  chain.attribute_text(NFTA_CHAIN_TABLE, table);
  chain.attribute_text(NFTA_CHAIN_NAME, kChain);
  chain.attribute_text(NFTA_CHAIN_TYPE, "filter");
  chain.nested(NFTA_CHAIN_HOOK, [&] {
    chain.attribute_be32(NFTA_HOOK_HOOKNUM, hook);
    chain.attribute_be32(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(priority));
  });
  chain.attribute_be32(NFTA_CHAIN_POLICY, NF_ACCEPT);
}

// A TCP segment that came in on the interface for one of the addresses.
void match_segment(Rule& rule, const RelayRules& rules) {
  const Layout ip = layout(rules.family);
  const auto index = static_cast<std::uint32_t>(rules.input_index);
  const std::uint8_t tcp = IPPROTO_TCP;
  rule.load_meta(NFT_META_IIF, register_of(0));
  rule.require_equal(register_of(0), bytes_of(index));
  rule.load_payload(NFT_PAYLOAD_NETWORK_HEADER, ip.destination_offset, ip.address_size, register_of(0));
  rule.require_in_set(register_of(0), kAddresses, kAddressesId, false);
  rule.load_meta(NFT_META_L4PROTO, register_of(0));
  rule.require_equal(register_of(0), {&tcp, 1});
}

void load_connection_key(Rule& rule, const RelayRules& rules) {
  const Layout ip = layout(rules.family);
  const std::uint32_t words = ip.address_words();
  rule.load_payload(NFT_PAYLOAD_NETWORK_HEADER, ip.source_offset, ip.address_size, register_of(0));
  rule.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, register_of(words));
  rule.load_payload(NFT_PAYLOAD_NETWORK_HEADER, ip.destination_offset, ip.address_size, register_of(words + 1));
  rule.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, register_of(2 * words + 1));
}

void add_table(Transaction& transaction, const RelayRules& rules) {
  const Layout ip = layout(rules.family);
  const std::uint32_t address_type = rules.family == IpFamily::ipv4 ? kTypeIpv4 : kTypeIpv6;
  const std::uint32_t end_type = address_type << kTypeBits | kTypePort;

  begin_table(transaction, rules.table);
  add_set(transaction, rules.table, kAddresses, kAddressesId, 0, address_type, ip.address_size, 0);
  add_set(transaction, rules.table, kOpenedHere, kOpenedHereId, NFT_SET_EVAL, end_type << 2 * kTypeBits | end_type,
          ip.key_size(), rules.connections_max);
  change_elements(transaction, NFT_MSG_NEWSETELEM, rules.table, kAddresses, rules.addresses, address_bytes);
  change_elements(transaction, NFT_MSG_NEWSETELEM, rules.table, kOpenedHere, rules.own, connection_key);

  add_chain(transaction, rules.table, NF_INET_PRE_ROUTING, kPriorityRaw);

  add_rule(transaction, rules.table, [&](Rule& rule) {
    const std::uint8_t syn = kTcpSyn;
    match_segment(rule, rules);
    rule.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, kTcpFlagsOffset, 1, register_of(0));
    rule.mask_byte(register_of(0), kTcpSyn | kTcpAck);
    rule.require_equal(register_of(0), {&syn, 1});
    load_connection_key(rule, rules);
    rule.add_to_set(register_of(0), kOpenedHere, kOpenedHereId);
    rule.verdict(NF_ACCEPT);
  });
  add_rule(transaction, rules.table, [&](Rule& rule) {
    const auto index = static_cast<std::uint32_t>(rules.interface_index);
    match_segment(rule, rules);
    load_connection_key(rule, rules);
    rule.require_in_set(register_of(0), kOpenedHere, kOpenedHereId, true);
    rule.load_immediate(register_of(0), {&kRelayedTtl, 1});
    rule.store_network_byte(ip.ttl_offset, register_of(0), rules.family == IpFamily::ipv4);
    rule.load_immediate(register_of(0), rules.old_active.bytes());
    rule.load_immediate(register_of(ip.address_words()), bytes_of(index));
    rule.duplicate(register_of(0), register_of(ip.address_words()));
    rule.verdict(NF_DROP);
  });
}

void add_guard_table(Transaction& transaction, IpFamily family, std::string_view table,
                     std::span<const IpAddress> addresses) {
  const Layout ip = layout(family);
  const std::uint32_t address_type = family == IpFamily::ipv4 ? kTypeIpv4 : kTypeIpv6;
  begin_table(transaction, table);
  add_set(transaction, table, kAddresses, kAddressesId, 0, address_type, ip.address_size, 0);
  change_elements(transaction, NFT_MSG_NEWSETELEM, table, kAddresses, addresses, address_bytes);
  add_chain(transaction, table, NF_INET_LOCAL_IN, kPriorityFilter);
  if (family == IpFamily::ipv6) {
    for (const std::uint8_t type : {kNeighbourSolicitation, kNeighbourAdvertisement}) {
      add_rule(transaction, table, [&](Rule& rule) {
        const std::uint8_t icmpv6 = IPPROTO_ICMPV6;
        rule.load_meta(NFT_META_L4PROTO, register_of(0));
        rule.require_equal(register_of(0), {&icmpv6, 1});
        rule.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, register_of(0));
        rule.require_equal(register_of(0), {&type, 1});
        rule.verdict(NF_ACCEPT);
      });
    }
  }
  add_rule(transaction, table, [&](Rule& rule) {
    rule.load_payload(NFT_PAYLOAD_NETWORK_HEADER, ip.destination_offset, ip.address_size, register_of(0));
    rule.require_in_set(register_of(0), kAddresses, kAddressesId, false);
    rule.verdict(NF_DROP);
  });
}

void remove_table(Transaction& transaction, std::string_view table) {
  transaction.message(NFT_MSG_DELTABLE, 0).attribute_text(NFTA_TABLE_NAME, table);
}

// Neighbour discovery's questions, by family: the table's, the hook's, and where the address asked for stands.
constexpr const char* kLeaseTable = "vipair-lease";
constexpr const char* kLease = "lease";
constexpr std::uint32_t kLeaseId = 3;
constexpr std::uint32_t kLeaseKey = 1;  // the set's one element
constexpr std::uint32_t kTypeMark = 19;
constexpr std::uint32_t kArpOperationOffset = 6, kArpTargetOffset = 24;  // Ethernet and IPv4
constexpr std::uint32_t kSolicitationTargetOffset = 8;

std::uint8_t lease_family(IpFamily family) { return family == IpFamily::ipv4 ? NFPROTO_ARP : NFPROTO_IPV6; }

enum class Expiration { as_given, renewed };  // of an element that is there

void add_lease_element(Transaction& transaction, Duration duration, Expiration expiration = Expiration::as_given) {
  NetlinkWriter& out = transaction.message(NFT_MSG_NEWSETELEM, NLM_F_CREATE);
  out.attribute_text(NFTA_SET_ELEM_LIST_TABLE, kLeaseTable);
  out.attribute_text(NFTA_SET_ELEM_LIST_SET, kLease);
  out.nested(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
    out.nested(NFTA_LIST_ELEM, [&] {
      out.nested(NFTA_SET_ELEM_KEY, [&] { out.attribute(NFTA_DATA_VALUE, bytes_of(kLeaseKey)); });
      const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
      out.attribute_be64(NFTA_SET_ELEM_TIMEOUT, static_cast<std::uint64_t>(milliseconds));
      if (expiration == Expiration::renewed)
        out.attribute_be64(NFTA_SET_ELEM_EXPIRATION, static_cast<std::uint64_t>(milliseconds));
    });
  });
}

void remove_lease_element(Transaction& transaction) {
  change_elements(transaction, NFT_MSG_DELSETELEM, kLeaseTable, kLease, std::array{kLeaseKey},
                  [](const std::uint32_t& key) { return bytes_of(key); });
}

void add_lease_rule(Transaction& transaction, IpFamily family) {
  add_rule(transaction, kLeaseTable, [&](Rule& rule) {
    if (family == IpFamily::ipv4) {
      const std::array<std::uint8_t, 2> request = {0, 1};
      rule.load_payload(NFT_PAYLOAD_NETWORK_HEADER, kArpOperationOffset, 2, register_of(0));
      rule.require_equal(register_of(0), request);
      rule.load_payload(NFT_PAYLOAD_NETWORK_HEADER, kArpTargetOffset, 4, register_of(0));
    } else {
      const std::uint8_t icmpv6 = IPPROTO_ICMPV6, solicitation = kNeighbourSolicitation;
      rule.load_meta(NFT_META_L4PROTO, register_of(0));
      rule.require_equal(register_of(0), {&icmpv6, 1});
      rule.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, register_of(0));
      rule.require_equal(register_of(0), {&solicitation, 1});
      rule.load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, kSolicitationTargetOffset, 16, register_of(0));
    }
    rule.require_in_set(register_of(0), kAddresses, kAddressesId, false);
    rule.load_immediate(register_of(0), bytes_of(kLeaseKey));
    rule.require_in_set(register_of(0), kLease, kLeaseId, true);
    rule.verdict(NF_DROP);
  });
}

void replace_lease_table(Transaction& transaction) {
  begin_table(transaction, kLeaseTable, 0);  // so that there is one to remove
  remove_table(transaction, kLeaseTable);
}

std::string explain(int error) {
  const char* hint = "";
  if (error == EPERM || error == EACCES) hint = " (nf_tables needs CAP_NET_ADMIN)";
  if (error == ENOENT || error == EOPNOTSUPP || error == EPROTONOSUPPORT || error == EAFNOSUPPORT) {
    hint = " (the kernel needs nf_tables, for relaying with nft_dup_ipv4 and nft_dup_ipv6, Linux 5.12 or later)";
  }
  return fmt::format("nf_tables: {}{}", std::strerror(error), hint);
}

}  // namespace

Bytes encode_relay_table(const RelayRules& rules) {
  Transaction transaction(rules.family);
  add_table(transaction, rules);
  return transaction.finish();
}

Bytes encode_guard_table(IpFamily family, std::string_view table, std::span<const IpAddress> addresses) {
  Transaction transaction(family);
  add_guard_table(transaction, family, table, addresses);
  return transaction.finish();
}

Bytes encode_guard_change(IpFamily family, std::string_view table, std::span<const IpAddress> added,
                          std::span<const IpAddress> removed) {
  Transaction transaction(family);
  change_elements(transaction, NFT_MSG_DELSETELEM, table, kAddresses, removed, address_bytes);
  change_elements(transaction, NFT_MSG_NEWSETELEM, table, kAddresses, added, address_bytes);
  return transaction.finish();
}

Bytes encode_lease_table(IpFamily family, std::span<const IpAddress> addresses, Duration duration) {
  Transaction transaction(lease_family(family));
  replace_lease_table(transaction);
  begin_table(transaction, kLeaseTable, 0);
  const bool is_v4 = family == IpFamily::ipv4;
  add_set(transaction, kLeaseTable, kAddresses, kAddressesId, 0, is_v4 ? kTypeIpv4 : kTypeIpv6,
          layout(family).address_size, 0);
  add_set(transaction, kLeaseTable, kLease, kLeaseId, NFT_SET_TIMEOUT, kTypeMark, sizeof kLeaseKey, 0);
  change_elements(transaction, NFT_MSG_NEWSETELEM, kLeaseTable, kAddresses, addresses, address_bytes);
  add_lease_element(transaction, duration);
  add_chain(transaction, kLeaseTable, is_v4 ? NF_ARP_IN : NF_INET_LOCAL_IN, kPriorityFilter);
  add_lease_rule(transaction, family);
  return transaction.finish();
}

Bytes encode_lease_change(IpFamily family, std::span<const IpAddress> added, std::span<const IpAddress> removed) {
  Transaction transaction(lease_family(family));
  change_elements(transaction, NFT_MSG_DELSETELEM, kLeaseTable, kAddresses, removed, address_bytes);
  change_elements(transaction, NFT_MSG_NEWSETELEM, kLeaseTable, kAddresses, added, address_bytes);
  return transaction.finish();
}

Bytes encode_lease_removal(IpFamily family) {
  Transaction transaction(lease_family(family));
  replace_lease_table(transaction);
  return transaction.finish();
}

bool has_lease_table(int socket, IpFamily family) {
  NetlinkWriter request;
  nfgenmsg header{};
  header.nfgen_family = lease_family(family);
  request.message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, 0, 1, header);
  request.attribute_text(NFTA_TABLE_NAME, kLeaseTable);
  bool is_there = false;
  (void)ask(socket, request, [&](const nlmsghdr& message) {
    is_there = message.nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE);
    return !is_there;
  });
  return is_there;
}

bool renews_elements(std::string_view release) {
  int major = 0, minor = 0;
  const char* end = release.data() + release.size();
  const auto [dot, error] = std::from_chars(release.data(), end, major);
  if (error != std::errc{} || dot == end || *dot != '.') return false;
  (void)std::from_chars(dot + 1, end, minor);
  return major > 6 || (major == 6 && minor >= 12);
}

Bytes encode_lease_renewal(IpFamily family, Duration duration, LeaseRenewal how) {
  Transaction transaction(lease_family(family));
  if (how == LeaseRenewal::replacing) remove_lease_element(transaction);
  add_lease_element(transaction, duration,
                    how == LeaseRenewal::in_place ? Expiration::renewed : Expiration::as_given);
  return transaction.finish();
}

bool renew_lease(int socket, IpFamily family, Duration duration) {
  static const bool is_in_place = [] {
    utsname system{};
    return ::uname(&system) == 0 && renews_elements(system.release);
  }();
  const auto renew = [&](LeaseRenewal how) {
    return transact(socket, encode_lease_renewal(family, duration, how)).has_value();
  };
  return is_in_place ? renew(LeaseRenewal::in_place)
                     : renew(LeaseRenewal::replacing) || renew(LeaseRenewal::adding);  // when it has expired
}

Bytes encode_table_removal(IpFamily family, std::string_view table) {
  Transaction transaction(family);
  remove_table(transaction, table);
  return transaction.finish();
}

Bytes encode_relay_trial(const RelayRules& rules) {
  Transaction transaction(rules.family);
  add_table(transaction, rules);
  remove_table(transaction, rules.table);
  return transaction.finish();
}

UniqueFd open_nftables() {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  const int one = 1;
  if (socket) {
    (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);  // errors stay small
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kTransactionSizeMax, sizeof kTransactionSizeMax);
  }
  return socket;
}

Expected<void, std::string> transact(int socket, ByteView transaction) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(socket, transaction.data(), transaction.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0) {
    return Unexpected{explain(errno)};
  }
  int first_error = 0;
  for (bool is_answered = false;;) {
    std::array<char, 4096> buffer;
    const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN && is_answered) break;  // all has been read
    if (size < 0 && errno == EAGAIN) {
      pollfd readable = {socket, POLLIN, 0};
      if (::poll(&readable, 1, kAnswerTimeoutMs) == 0) return Unexpected{explain(ETIMEDOUT)};
      continue;
    }
    if (size < 0) return Unexpected{explain(errno)};
    if (static_cast<std::size_t>(size) < NLMSG_LENGTH(sizeof(int))) continue;
    nlmsghdr header;
    int error = 0;
    std::memcpy(&header, buffer.data(), sizeof header);
    std::memcpy(&error, buffer.data() + NLMSG_HDRLEN, sizeof error);
    if (header.nlmsg_type != NLMSG_ERROR) continue;
    if (error == 0) break;  // all is in force, and nothing else is said
    is_answered = true;
    if (first_error == 0) first_error = -error;
  }
  if (first_error != 0) return Unexpected{explain(first_error)};
  return {};
}

}  // namespace vipair::vrrp
