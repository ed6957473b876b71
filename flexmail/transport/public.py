"""Which addresses lie outside: only these may be called without being on the operator's list.

`ipaddress` takes a loopback address that is wrapped in NAT64 or 6to4 for a public one, and
multicast too; here an address is what it leads to. RFC 6890, RFC 6052 (NAT64), RFC 3056 (6to4).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Ip = IPv4Address | IPv6Address

_UNICAST = IPv6Network("2000::/3")
_PROTOCOLS = IPv6Network("2001::/23")
"""Protocol assignments, Teredo among them."""

_DOCUMENTATION = IPv6Network("3fff::/20")
_RELAYS = IPv4Network("192.88.99.0/24")
_PROTOCOLS_V4 = IPv4Network("192.0.0.0/24")
_EMBEDDING = (
    (IPv6Network("::/96"), 0),
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
"""Networks whose addresses hold an IPv4 address, and how many bits stand below it."""


def is_public(ip: Ip) -> bool:
    """Tell whether an address is a unicast one of the internet, also after unwrapping."""
    inner = _unwrapped(ip)
    if isinstance(inner, IPv4Address):
        special = inner in _RELAYS or inner in _PROTOCOLS_V4 or inner.is_multicast
        return inner.is_global and not special
    special = inner in _PROTOCOLS or inner in _DOCUMENTATION or inner.is_multicast
    return inner in _UNICAST and inner.is_global and not special


def is_link_local(ip: Ip) -> bool:
    """Tell whether an address, also after unwrapping, belongs to this link alone."""
    return _unwrapped(ip).is_link_local


def _unwrapped(ip: Ip) -> Ip:
    if isinstance(ip, IPv6Address) and int(ip) > 1:  # :: and ::1 are themselves
        for network, bits_below in _EMBEDDING:
            if ip in network:
                return IPv4Address((int(ip) >> bits_below) & 0xFFFFFFFF)
    return ip
