"""Colours of the light and the dark theme, for pages without Streamlit; the app has the same ones."""

from __future__ import annotations

from collections.abc import Mapping

THEMES: Mapping[str, Mapping[str, str]] = {
    "light": {
        "primary-color": "#6a35e0",
        "text-color": "#1d1a26",
        "background-color": "#ffffff",
        "secondary-background-color": "#f5f3fa",
    },
    "dark": {
        "primary-color": "#a98bff",
        "text-color": "#ece8f5",
        "background-color": "#121016",
        "secondary-background-color": "#1c1924",
    },
}


def rule(selector: str, theme: str) -> str:
    """Return a style rule that sets the colours of a theme, under the names that Streamlit uses."""
    colours = "".join(f" --st-{name}: {colour};" for name, colour in THEMES[theme].items())
    return f"{selector} {{ color-scheme: {theme};{colours} }}\n"
