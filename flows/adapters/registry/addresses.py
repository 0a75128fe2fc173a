"""Where a registry may send us: over https, and into no network that it is not in itself.

A registry names other servers: by a redirect, by the place of an upload, by where tokens are given
and by the next page of a list. A hostile one could name the metadata service of a cloud, or a
server behind our firewall that listens to whoever is inside.
"""

import ipaddress

from sluice.errors import SluiceError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# IPv6 networks whose addresses stand for the IPv4 address in their last 32 bits: mapped, translated
# (SIIT, NAT64), and the oldest form of all, `::127.0.0.1`.
_ENDS_IN_IPV4 = tuple(
    ipaddress.IPv6Network(f"{prefix}/96") for prefix in ("::ffff:0:0", "::ffff:0:0:0", "64:ff9b::")
)
_COMPATIBLE = ipaddress.IPv6Network("::/96")
# What is public in IPv6 (RFC 4291), and what an organisation uses inside (RFC 4193). No other
# address of it is where a registry has its servers.
_UNICAST = ipaddress.IPv6Network("2000::/3")
_UNIQUE_LOCAL = ipaddress.IPv6Network("fc00::/7")
# Clouds give out secrets here to whoever is inside; link-local ones need not be listed.
_METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)


def parse(host: str) -> Address | None:
    """The address that a host is written as, IPv4 in IPv6 as IPv4; None where it is a name.

    An IPv6 address keeps its zone (`%eth0`): a link-local one means another machine in each.
    """
    try:
        found = ipaddress.ip_address(host.strip("[]").replace("%25", "%", 1))
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv4Address):
        return found
    return _embedded(found) or found


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if address.sixtofour:
        return address.sixtofour
    compatible = address in _COMPATIBLE and int(address) > 1  # not `::` and `::1`
    if compatible or any(address in network for network in _ENDS_IN_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def is_loopback(host: str) -> bool:
    """Whether a host, without its port, is this machine."""
    address = parse(host)
    if address is not None:
        return address.is_loopback
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def allowed(target: Address, own: Address | None) -> bool:
    """Whether a registry at `own` (None: not known) may send us to `target`.

    To itself and to public addresses always; to this machine if it is there; to private addresses
    if its own is private and no loopback address, because an internal registry has internal
    servers beside it. Never to where clouds give out secrets, as at link-local addresses.
    """
    if target == own:
        return True
    if target.is_loopback:
        return own is not None and own.is_loopback
    if target.is_link_local or target.is_multicast or target.is_unspecified or target in _METADATA:
        return False
    return _is_public(target) or (own is not None and _is_internal(own) and _is_private(target))


def _is_public(address: Address) -> bool:
    return address.is_global and (address.version == 4 or address in _UNICAST)


def _is_private(address: Address) -> bool:
    """Whether it may be in a network of an organisation: in IPv4 whatever is not public."""
    return address.version == 4 or address in _UNIQUE_LOCAL


def _is_internal(address: Address) -> bool:
    """Whether an address is in a private network: not public, and not this machine."""
    return not (_is_public(address) or address.is_loopback or address.is_link_local)


def require_allowed(url: str, target: Address, own: Address | None) -> None:
    """Raise SluiceError unless a registry at `own` may send us to the address `target` of `url`."""
    if not allowed(target, own):
        raise SluiceError(
            f"the registry sends us to {url[:200]!r}, which is at {target}, an address of another"
            " network than its own",
            "Ask who runs it.",
        )
