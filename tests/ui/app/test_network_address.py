"""Addresses under which phones reach the server."""

import ipaddress

import pytest

from vitviz.ui.app import network_address
from vitviz.ui.app.network_address import (
    at_origin,
    checked_origin,
    is_loopback,
    local_address,
    local_addresses,
    on_host,
)

# /proc/net/fib_trie of a laptop that is a hotspot and runs containers; Linux lists each address in two tables
TABLES = """Main:
  +-- 0.0.0.0/0 3 0 5
     +-- {network}/24 2 0 2
        |-- {network}
           /24 link UNICAST
        |-- {host}
           /32 host LOCAL
        |-- {broadcast}
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
"""
HOTSPOT = TABLES.format(network="10.42.0.0", host="10.42.0.1", broadcast="10.42.0.255")
CONTAINERS = TABLES.format(network="172.17.0.0", host="172.17.0.1", broadcast="172.17.255.255")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost.", "app.localhost", "127.0.0.1", "127.8.0.1", "::1"]
)
def test_only_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["192.168.0.2", "0.0.0.0", "vitviz.example.org", "localhost.example.org", "fe80::1"])
def test_other_machines_too(host):
    assert not is_loopback(host)


def test_this_machines_address_is_no_loopback():
    address = local_address()
    assert address is None or not ipaddress.ip_address(address).is_loopback


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """A machine without a route to elsewhere, with these tables."""

    class NoRoute:
        def __init__(self, *_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def connect(self, _):
            raise OSError("Network is unreachable")

    def begin(tables: str | None) -> None:
        file = tmp_path / "fib_trie"
        if tables is not None:
            file.write_text(tables)
        monkeypatch.setattr(network_address, "_ROUTES", file)
        monkeypatch.setattr(network_address.socket, "socket", NoRoute)

    return begin


def test_a_hotspot_without_a_connection_is_found_before_containers(offline):
    offline(CONTAINERS + HOTSPOT + CONTAINERS)
    assert local_addresses() == ["10.42.0.1", "172.17.0.1"]
    assert local_address() == "10.42.0.1"


def test_other_systems_tell_by_their_name(offline, monkeypatch):
    offline(None)
    names = ("name", [], ["127.0.0.1", "169.254.7.7", "192.168.137.1"])
    monkeypatch.setattr(network_address.socket, "gethostbyname_ex", lambda _: names)
    assert local_addresses() == ["192.168.137.1"]


def test_no_network_is_no_address(offline, monkeypatch):
    offline(TABLES.format(network="127.1.0.0", host="127.1.0.1", broadcast="127.1.0.255"))
    assert local_addresses() == []
    assert local_address() is None
    offline(None)

    def unknown(_):
        raise OSError("unknown host")

    network_address._ROUTES.unlink()
    monkeypatch.setattr(network_address.socket, "gethostbyname_ex", unknown)
    assert local_address() is None


def test_another_host_keeps_the_port():
    assert on_host("http://localhost:8501/explore", "10.0.0.7") == "http://10.0.0.7:8501"
    assert on_host("https://localhost/vitviz/", "10.0.0.7") == "https://10.0.0.7"


def test_another_origin_keeps_the_path():
    assert at_origin("http://localhost:8501/vitviz/explore", "https://x.org") == "https://x.org/vitviz/explore"


@pytest.mark.parametrize(
    ("typed", "origin"),
    [
        (" http://10.0.0.7:8501/explore?layer=2#x ", "http://10.0.0.7:8501"),
        ("https://example.org", "https://example.org"),
        ("10.0.0.7:8501", None),
        ("ftp://example.org", None),
        ("http://", None),
        ("http://a b/", None),
        ("http://x:port/", None),
        ("http://[::1", None),
        ("", None),
        ("http://localhost:8501", None),
        ("http://LocalHost.:8501", None),
        ("http://127.0.0.1:8501", None),
        ("http://[::1]:8501", None),
        ("http://0.0.0.0:8501", None),
    ],
)
def test_what_is_typed_is_checked(typed, origin):
    assert checked_origin(typed) == origin
