"""Contrast and difference of colours, with normal sight and with simulated deuteranopia."""

import numpy as np

# Machado, Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# table 1: deuteranopia (deuteranomaly of severity 1.0), for linear RGB.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
TO_XYZ = np.array(  # linear sRGB to XYZ, white D65 (IEC 61966-2-1)
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = TO_XYZ.sum(axis=1)


def linear(colour: str) -> np.ndarray:
    """Linear RGB of a colour such as `"#8e5cf0"`, 0 to 1."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def deuteranopic(rgb: np.ndarray) -> np.ndarray:
    """Linear RGB as seen with deuteranopia."""
    return np.clip(DEUTERANOPIA @ rgb, 0, 1)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB."""
    ratio = TO_XYZ @ rgb / WHITE
    x, y, z = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one: str, other: str) -> float:
    """Colour difference, CIE 1976 (distance in L*a*b*)."""
    return float(np.linalg.norm(lab(linear(one)) - lab(linear(other))))


def deuteranopic_difference(one: str, other: str) -> float:
    """Colour difference as seen with deuteranopia, CIE 1976."""
    return float(np.linalg.norm(lab(deuteranopic(linear(one))) - lab(deuteranopic(linear(other)))))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2, 1 to 21."""
    light, dark = sorted((float(TO_XYZ[1] @ linear(colour)) for colour in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
