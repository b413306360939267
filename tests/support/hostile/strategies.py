"""Strategies of hypothesis: mutated bytes, JSON values and texts."""

from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

_NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)
_REACH = (16, 64, 300, 10**9)  # bytes from the start: headers are there
_ODD_TEXTS = (
    *("", " ", "0", "-1", "1e999", "nan", "٣", "²", "\0", "\n", "\ud800", "\u202ea", "💥", "<b>", "..", "../a", "a/b"),
    *("9" * 400, "x" * 400, ".a" * 200, "=" * 200, "(" * 200, "{x}", "%s", "__class__", "None", "true", "[]"),
)
_ODD_NUMBERS = (0, -1, 1, 2, 2**31, 2**53, 2**53 + 1, 2**63, 10**30, 0.5, -0.0, 1e308, float("inf"), float("nan"))

odd_texts = st.sampled_from(_ODD_TEXTS) | st.text(max_size=30)


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """Change bytes of a file in a few places, mostly near its start."""
    result = bytearray(data)
    for _ in range(draw(st.integers(1, 6))):
        reach = min(len(result), draw(st.sampled_from(_REACH)))
        at = draw(st.integers(0, max(0, reach - 1)))
        change = draw(st.sampled_from(("byte", "bit", "number", "number", "cut", "remove", "repeat", "insert")))
        if change == "byte":
            result[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif change == "bit":
            result[at : at + 1] = bytes([result[at] ^ 1 << draw(st.integers(0, 7))]) if at < len(result) else b""
        elif change == "number":
            size, order = draw(st.sampled_from((1, 2, 4, 8))), draw(st.sampled_from(("little", "big")))
            number = draw(st.sampled_from(_NUMBERS)) % 256**size
            result[at : at + size] = number.to_bytes(size, order)
        elif change == "cut":
            del result[at:]
        else:
            end = at + draw(st.integers(1, 300))
            part = bytes(result[at:end])
            if change == "remove":
                del result[at:end]
            else:
                times = draw(st.sampled_from((1, 2, 100)))
                result[at:at] = part * times if change == "repeat" else draw(st.binary(max_size=20))
    return bytes(result)


@st.composite
def mutated_text(draw: st.DrawFn, text: str) -> str:
    """Replace, insert or remove characters of a text."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 3)))
        text = text[:start] + draw(odd_texts | st.sampled_from((*"0123456789-.,=", ""))) + text[end:]
    return text


scalars = st.none() | st.booleans() | st.integers() | st.sampled_from(_ODD_NUMBERS) | st.floats() | odd_texts
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(odd_texts, inner, max_size=4), max_leaves=8
)


@st.composite
def mutated_json(draw: st.DrawFn, value: Any) -> Any:
    """Replace, remove or add values somewhere in a JSON value, a few times."""
    value = deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        value = _changed(draw, value)
    return value


def _changed(draw: st.DrawFn, value: Any) -> Any:
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 9)) == 0:
        return draw(_neighbours(value) | json_values)
    places = list(value) if isinstance(value, dict) else list(range(len(value)))
    place = draw(st.sampled_from(places))
    change = draw(st.sampled_from(("inside", "inside", "inside", "remove", "add")))
    if change == "inside":
        value[place] = _changed(draw, value[place])
    elif change == "remove":
        del value[place]
    elif isinstance(value, dict):
        value[draw(odd_texts)] = deepcopy(value[place])
    else:
        value.insert(place, deepcopy(value[place]))
    return value


def _neighbours(value: Any) -> st.SearchStrategy:
    """Values that are nearly the same."""
    if isinstance(value, bool) or value is None:
        return st.booleans()
    if isinstance(value, int):
        return st.sampled_from((value + 1, value - 1, -value, 2 * value, float(value), str(value), value * 10**6))
    if isinstance(value, float):
        return st.sampled_from((-value, value + 1e-9, 1000 * value, int(value) if abs(value) < 1e9 else 0))
    if isinstance(value, str):
        return mutated_text(value)
    return st.just([])
