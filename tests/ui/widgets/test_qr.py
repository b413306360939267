"""QR codes: dark on white, with a quiet zone, and the modules of the text."""

import base64
import re

import segno

from vitviz.ui.widgets.qr import qr_html, qr_svg

LINK = "http://192.168.0.2:8501/explore?image=cat&model=dinov2-small&size=224&fit=crop&layer=12&head=4"


def dark_modules(svg: str) -> set[tuple[int, int]]:
    """Row and column of the dark modules of a drawn code, from its path of horizontal strokes."""
    (path,) = re.findall(r'class="qrline"[^>]* d="([^"]*)"', svg) or re.findall(r'stroke="#000"[^>]* d="([^"]*)"', svg)
    x = y = 0.0
    found = set()
    for command, numbers in re.findall(r"([Mmh])([^Mmh]*)", path):
        values = [float(value) for value in re.findall(r"-?[0-9.]+", numbers)]
        if command == "M":
            x, y = values
        elif command == "m":
            x, y = x + values[0], y + values[1]
        else:
            found |= {(int(y), int(x) + step) for step in range(int(values[0]))}
            x += values[0]
    return found


def test_the_drawing_has_the_modules_of_the_link_and_a_quiet_zone():
    svg = qr_svg(LINK).decode()
    matrix = segno.make_qr(LINK, error="m").matrix
    wanted = {(row + 4, column + 4) for row, line in enumerate(matrix) for column, dark in enumerate(line) if dark}
    assert dark_modules(svg) == wanted
    assert f'viewBox="0 0 {len(matrix) + 8} {len(matrix) + 8}"' in svg
    assert "#fff" in svg, "also on a dark page"


def test_a_link_is_text_in_the_page():
    drawn = qr_html(LINK, 'code "A" <b>')
    assert 'alt="code &quot;A&quot; &lt;b&gt;"' in drawn
    (source,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', drawn)
    assert base64.b64decode(source) == qr_svg(LINK)


def test_a_text_that_is_too_long_has_no_code():
    assert qr_svg("x" * 3000) is None
    assert qr_html("x" * 3000, "code") == ""
