"""Parts of components that the browser fetches itself."""

from __future__ import annotations

from streamlit import runtime


def address_of(part: bytes, place: str) -> str | None:
    """Return the address of a part on this server; None if there is no server.

    The server keeps the part in memory as long as a session shows it, once for all sessions. The address contains a
    digest of the contents, so that only those who know the part can find it.

    Args:
        part: contents.
        place: identity of the part in the session. It replaces the earlier part of the same place.
    """
    if not runtime.exists():
        return None
    return runtime.get_instance().media_file_mgr.add(part, "application/octet-stream", place)
