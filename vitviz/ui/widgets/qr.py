"""QR codes of links, for the phones of a class."""

from __future__ import annotations

import html
import io

import segno

from ...viz.inline import data_url

# Dark on white in both themes: many cameras cannot read a light code on a dark background.
STYLE = """<style>
.vv-qr { display: block; width: min(100%, 66vh); margin: 0 auto; aspect-ratio: 1; background: #fff; }
.vv-qr { image-rendering: pixelated; }
</style>"""


def qr_code(text: str) -> segno.QRCode | None:
    """Return the QR code of a text, with error correction level M; None if the text is too long for one."""
    try:
        return segno.make_qr(text, error="m")
    except segno.DataOverflowError:
        return None


def qr_svg(text: str) -> bytes | None:
    """Return the QR code of a text as an SVG file with its quiet zone of 4 modules; None if the text is too long."""
    code, buffer = qr_code(text), io.BytesIO()
    if code is None:
        return None
    code.save(buffer, kind="svg", border=4, dark="#000", light="#fff", xmldecl=False, omitsize=True, nl=False)
    return buffer.getvalue()


def qr_html(text: str, alt: str) -> str:
    """Return the QR code of a text as HTML with `STYLE`; empty if the text is too long."""
    drawn = qr_svg(text)
    if drawn is None:
        return ""
    return f'<img class="vv-qr" data-testid="class-qr" alt="{html.escape(alt, quote=True)}" src="{data_url(drawn)}">'
