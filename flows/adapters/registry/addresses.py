"""Where a registry may send us: over https, and into no network that it is not in itself.

A registry names other servers: by a redirect, by the place of an upload, by where tokens are given
and by the next page of a list. A hostile one could name the metadata service of a cloud, or a
server behind our firewall that listens to whoever is inside.
"""

import ipaddress

from sluice.errors import SluiceError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# IPv6 addresses that stand for an IPv4 address, which is in their last 32 bits.
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


def parse(host: str) -> Address | None:
    """The address that a host is written as, IPv4 in IPv6 as IPv4; None where it is a name."""
    try:
        found = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv4Address):
        return found
    if found in _TRANSLATED:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found


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
    servers beside it. Never to link-local addresses: clouds give out secrets there.
    """
    if target == own:
        return True
    if target.is_loopback:
        return own is not None and own.is_loopback
    if target.is_link_local or target.is_multicast or target.is_unspecified:
        return False
    return target.is_global or (own is not None and _is_internal(own))


def _is_internal(address: Address) -> bool:
    """Whether an address is in a private network: not public, and not this machine."""
    return not (address.is_global or address.is_loopback or address.is_link_local)


def require_allowed(url: str, target: Address, own: Address | None) -> None:
    """Raise SluiceError unless a registry at `own` may send us to the address `target` of `url`."""
    if not allowed(target, own):
        raise SluiceError(
            f"the registry sends us to {url[:200]!r}, which is at {target}, an address of another"
            " network than its own",
            "Ask who runs it.",
        )
