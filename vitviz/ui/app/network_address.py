"""Address under which other devices of the local network reach this server."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit, urlunsplit

# Private addresses (RFC 1918). The system chooses the network interface for each of them; no packet is sent.
_PROBES = ("10.255.255.255", "192.168.255.255", "172.31.255.255")


def is_loopback(host: str) -> bool:
    """Return True if a host name or address always stands for the machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def local_address() -> str | None:
    """Return this machine's address in the local network; None if it is in no network."""
    for probe in _PROBES:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            try:
                unused.connect((probe, 9))
                address = unused.getsockname()[0]
            except OSError:
                continue
        if not is_loopback(address):
            return address
    return None


def on_host(url: str, host: str) -> str:
    """Return the origin of a URL, such as `"http://localhost:8501"`, on another host with the same port."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}"


def checked_origin(text: str) -> str | None:
    """Return the origin of an address that a user typed; None if it is not an address of a web server."""
    try:
        parts = urlsplit(text.strip())
        parts.port  # noqa: B018 - raises a ValueError if it is not a number
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in parts.netloc:
        return None
    return f"{parts.scheme}://{parts.netloc}"


def at_origin(url: str, origin: str) -> str:
    """Return a URL at another origin."""
    parts = urlsplit(origin)
    return urlunsplit(urlsplit(url)._replace(scheme=parts.scheme, netloc=parts.netloc))
