"""Address under which other devices of the local network reach this server."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

# Private addresses (RFC 1918). The system chooses the network interface for each of them; no packet is sent.
_PROBES = ("10.255.255.255", "192.168.255.255", "172.31.255.255")
_ROUTES = Path("/proc/net/fib_trie")  # Linux: addresses of all interfaces, also of those without a route to elsewhere
_OF_CONTAINERS = ipaddress.ip_network("172.16.0.0/12")  # used by container software for networks within a computer


def is_loopback(host: str) -> bool:
    """Return True if a host name or address always stands for the machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        name = host.lower().removesuffix(".")
        return name == "localhost" or name.endswith(".localhost")


def serves_network(address: str | None) -> bool:
    """Return True if a server with this option `server.address` answers other machines."""
    return not is_loopback(address or "0.0.0.0")


def local_address() -> str | None:
    """Return this machine's most probable address in the local network; None if it is in no network."""
    return next(iter(local_addresses()), None)


def local_addresses() -> list[str]:
    """Return this machine's IPv4 addresses in networks, most probable first.

    A machine that is a hotspot without a connection to elsewhere has no route to the probes: its address is found
    among those of its interfaces.
    """
    found = [ipaddress.IPv4Address(address) for address in (*_of_routes(), *_of_interfaces())]
    usable = [one for one in found if not (one.is_loopback or one.is_link_local or one.is_unspecified)]
    # stable: those of routes come first
    usable.sort(key=lambda one: (not one.is_private, one in _OF_CONTAINERS))
    return [str(one) for one in dict.fromkeys(usable)]


def _of_routes() -> Iterator[str]:
    """Yield the addresses of the interfaces that lead to private networks."""
    for probe in _PROBES:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            try:
                unused.connect((probe, 9))
                yield unused.getsockname()[0]
            except OSError:
                continue


def _of_interfaces() -> list[str]:
    """Return the addresses of all interfaces, as far as the system tells."""
    try:
        return re.findall(r"\|-- ([\d.]+)\n\s*/32 host LOCAL", _ROUTES.read_text())
    except OSError:  # not Linux
        pass
    try:
        return socket.gethostbyname_ex(socket.gethostname())[2]
    except OSError:
        return []


def on_host(url: str, host: str) -> str:
    """Return the origin of a URL, such as `"http://localhost:8501"`, on another host with the same port."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}"


def checked_origin(text: str) -> str | None:
    """Return the origin of an address that a user typed; None if it is no address that other devices can open."""
    try:
        parts = urlsplit(text.strip())
        parts.port  # noqa: B018 - raises a ValueError if it is not a number
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in parts.netloc:
        return None
    if is_loopback(parts.hostname) or parts.hostname in ("0.0.0.0", "::"):
        return None
    return f"{parts.scheme}://{parts.netloc}"


def at_origin(url: str, origin: str) -> str:
    """Return a URL at another origin."""
    parts = urlsplit(origin)
    return urlunsplit(urlsplit(url)._replace(scheme=parts.scheme, netloc=parts.netloc))
