"""Whom the app lets in: this machine, and others only if that was asked for."""

import ipaddress
import socket
import struct
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scripts.app_server import ROOT, running_app
from tests.support.exhaustive import exhaustive

LISTENS = "0A"  # the state of a socket in /proc/net/tcp


def listening_on(port):
    """The addresses on which somebody listens at this port."""
    addresses = set()
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net", table)
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            _, local, _, state, *_ = line.split()
            packed, number = local.split(":")
            if state == LISTENS and int(number, 16) == port:
                words = [packed[place : place + 8] for place in range(0, len(packed), 8)]
                addresses.add(ipaddress.ip_address(b"".join(struct.pack("=I", int(word, 16)) for word in words)))
    return addresses


def test_this_machine_only_is_what_is_configured():
    configured = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["server"]["address"]
    assert ipaddress.ip_address(configured).is_loopback


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="this system does not tell who listens where")
@pytest.mark.parametrize("asked", [None, exhaustive("0.0.0.0")])
def test_the_app_listens_to_this_machine_only_unless_asked(asked, tmp_path):
    options = () if asked is None else (f"--server.address={asked}",)
    with running_app(*options, log=tmp_path / "log") as url:
        port = urlsplit(url).port
        addresses = listening_on(port)
        assert addresses
        assert all(address.is_loopback for address in addresses) == (asked is None)
        with socket.socket() as other:  # another address of this machine, which stands for another machine
            other.settimeout(10)
            assert (other.connect_ex(("127.0.0.2", port)) == 0) == (asked is not None)
    assert ("Everybody in the network" in (tmp_path / "log").read_text()) == (asked is not None)
