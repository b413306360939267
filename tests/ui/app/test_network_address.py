"""Addresses under which phones reach the server."""

import ipaddress

import pytest

from vitviz.ui.app.network_address import at_origin, checked_origin, is_loopback, local_address, on_host


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "app.localhost", "127.0.0.1", "127.8.0.1", "::1"])
def test_only_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["192.168.0.2", "0.0.0.0", "vitviz.example.org", "localhost.example.org", "fe80::1"])
def test_other_machines_too(host):
    assert not is_loopback(host)


def test_this_machines_address_is_no_loopback():
    address = local_address()
    assert address is None or not ipaddress.ip_address(address).is_loopback


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
    ],
)
def test_what_is_typed_is_checked(typed, origin):
    assert checked_origin(typed) == origin
