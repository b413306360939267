"""Numbers of attribution methods in words."""

from __future__ import annotations


def three_digits(value: float) -> str:
    """A number with three digits that matter: `"−0.0123"`."""
    return f"{value:.3g}".replace("-", "−")


def seconds(value: float) -> str:
    """A time in words: `"12 ms"` or `"3.4 s"`."""
    return f"{value:.1f} s" if value >= 1 else f"{1000 * value:.0f} ms" if value >= 0.001 else "< 1 ms"
