"""Fonts of the browser tests: only the given files are available, and missing files are reported."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.fonts import STATED, WIDE, only


@pytest.mark.parametrize("fonts", [STATED, WIDE], ids=["stated", "wide"])
def test_only_the_stated_fonts_are_found(fonts):
    with only(fonts) as found:
        configuration = Path(found["FONTCONFIG_FILE"])
        (folder,) = re.findall("<dir>(.*)</dir>", configuration.read_text("utf-8"))
        assert sorted(path.name for path in Path(folder).rglob("*.ttf")) == sorted(fonts.files)
        assert all(path.read_bytes() for path in Path(folder).rglob("*.ttf"))
    assert not configuration.exists()


def test_a_missing_font_is_said_in_one_sentence():
    wanted = replace(STATED, files=(*STATED.files, "Missing.ttf"))
    with pytest.raises(RuntimeError, match=r"^[^\n]*\bMissing\.ttf\b[^\n]*\.$"), only(wanted):
        pass
