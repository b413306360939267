"""Text that a server prints when it starts, if other machines can open the app."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from .. import network_address

_ALL = ("0.0.0.0", "::")  # addresses that stand for all network interfaces of this machine


def announcement(find_address: Callable[[], str | None]) -> str:
    """Return the address of the app for a class, and who can open it; empty if only this machine can.

    Args:
        find_address: function that returns the address of this machine in its network; None if it is in no network.
    """
    address = st.get_option("server.address")
    if not network_address.serves_network(address) or (address or "").startswith("unix:"):
        return ""
    host = find_address() if address in (None, *_ALL) else address
    warning = "Everybody in the network can open the app; it has no passwords and no encryption."
    if host is None:
        return f"{warning}\nNo address of this machine was found; look it up in its network settings."
    return f"{warning}\nAddress for the class: {_url(host)}"


def _url(host: str) -> str:
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    path = st.get_option("server.baseUrlPath").strip("/")
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}:{st.get_option('server.port')}/{path}"
