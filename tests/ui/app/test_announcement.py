"""Address for the class, which a server prints when it starts."""

import pytest
import streamlit as st

from tests.support.facts import assert_mentions
from vitviz.ui.app.serving.announcement import announcement

HERE = "192.168.0.7"


@pytest.fixture
def told(monkeypatch):
    """Function that returns the text of a server with these options."""

    def tell(address, found=HERE, port=8501, path="", certificate=None):
        options = {
            "server.address": address,
            "server.port": port,
            "server.baseUrlPath": path,
            "server.sslCertFile": certificate,
        }
        monkeypatch.setattr(st, "get_option", options.__getitem__)
        return announcement(lambda: found)

    return tell


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1"])
def test_a_server_for_this_machine_only_has_nothing_to_tell(told, address):
    assert told(address) == ""


@pytest.mark.parametrize("address", ["0.0.0.0", "::", None])
def test_a_server_for_everybody_tells_its_address_in_the_network(told, address):
    text = told(address)
    assert text.endswith("http://192.168.0.7:8501/")
    assert_mentions(text, "Everybody")


def test_an_address_that_was_asked_for_is_the_one(told):
    assert told("192.168.0.9", port=80, path="/vitviz/").endswith("http://192.168.0.9:80/vitviz")
    assert told("fd00::7", certificate="vitviz.crt").endswith("https://[fd00::7]:8501/")


def test_a_machine_in_no_network_is_open_all_the_same(told):
    text = told("0.0.0.0", found=None)
    assert "http" not in text
    assert_mentions(text, "Everybody")


def test_a_socket_in_the_file_system_is_not_in_the_network(told):
    assert told("unix:///run/vitviz.sock") == ""
