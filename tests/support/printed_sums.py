"""Sums as they stand on a page, done again with the digits that are shown."""

import math
import re

# "0.1234 − 0.0210 = **0.1024**", "(121 − 123.675) / 58.395 = **…**", "78.7746 / √64 + (−0.1) (bias) = **…**"
_SUM = re.compile(r"((?:[−\d.()√ +×/]|\(bias\))*\d\)?(?: \(bias\))?) = \*\*(−?\d+\.\d+)\*\*")


def printed_sums(words: str) -> list[tuple[str, str]]:
    """All sums with what they are said to make."""
    return [(left.strip(), right) for left, right in _SUM.findall(words) if re.search(r"[+×/]| − ", left)]


def comes_out(left: str, right: str) -> bool:
    plain = left.replace("(bias)", "").replace("−", "-").replace("×", "*")
    plain = re.sub(r"√(\d+)", r"math.sqrt(\1)", plain)
    decimals = len(right.partition(".")[2])
    found = f"{eval(plain, {'math': math}):.{decimals}f}"  # digits and signs only: the pattern lets nothing else in
    return float(found) == float(right.replace("−", "-"))
