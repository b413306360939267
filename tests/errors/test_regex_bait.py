"""Texts and files made to keep a pattern searching for hours: all are read or refused at once."""

import struct
from contextlib import suppress

import pytest
import torch

import vitviz
from tests.support.hostile.images import SMALL_FILES
from tests.support.hostile.limits import cpu_limit, handled
from tests.support.random_models import PLAIN, trace_of
from vitviz import zoo
from vitviz.images import read_image
from vitviz.notation import marks
from vitviz.notation.edits import parse_edits
from vitviz.notation.queries import parse_query
from vitviz.ui.app import link
from vitviz.ui.app.messages import escape_markdown
from vitviz.zoo.find_vit import find_vit
from vitviz.zoo.options import rewrite_options
from vitviz.zoo.repository import repository_of

LONG = 50_000
BAITS = {
    "digits": "0" * LONG + "!",
    "numbers": "1." * LONG,
    "dashes": "1-" * LONG,
    "commas": "h1.1z," * LONG,
    "letters": "a" * LONG + "/" + "a" * LONG + "!",
    "dots": "a." * LONG + "/",
    "slashes": "a/" * LONG,
    "spaces": " " * LONG + "x",
    "lines": "\n" * LONG + "x",
    "brackets": "[" * LONG,
    "stars": "*_" * LONG,
    "quotes": "num_heads='" * LONG,
    "options": " num_heads={" * LONG,
    "markup": "<" * LONG + ">",
    "patches": "1..4-1..6," * LONG,
}
READERS = {
    "links": lambda text: link.find_misspelled([text, *text[:2000].split(".")]),
    "layers": lambda text: marks.parse_layer(text, PLAIN),
    "heads": lambda text: marks.parse_head(text, 0, PLAIN),
    "classes": lambda text: marks.parse_class(text, 1000),
    "sizes": marks.parse_size,
    "queries": lambda text: parse_query(text, trace_of("mean")),
    "edits": lambda text: parse_edits(text, PLAIN, (4, 6)),
    "Markdown": escape_markdown,
    "repositories": repository_of,
    "models": vitviz.load,
    "a search": zoo.search,
    "advice": lambda text: rewrite_options(text[:1500], lambda option, value: option),  # messages are short
}


@pytest.mark.parametrize("bait", BAITS)
@pytest.mark.parametrize("reader", READERS)
def test_a_text_is_read_or_refused_at_once(reader, bait):
    with cpu_limit(), suppress(ValueError, vitviz.VitvizError):
        READERS[reader](BAITS[bait])


PARTS = (
    "lora_",
    ".lora_",
    "module.",
    "_orig_mod.",
    "blocks.",
    "layers.0.",
    "backbone.",
    "_ema_",
    "a.",
    "_",
    "0",
    "mask_",
)


@pytest.mark.parametrize("part", PARTS)
def test_keys_of_weights_are_read_at_once(part):
    repeated = (part * 300)[:280]
    keys = [f"{repeated}{place} " for place in range(4_000)]
    weights = dict.fromkeys([*keys, "patch_embed.proj.weight"], torch.zeros(1))
    with cpu_limit():
        handled(lambda: find_vit(weights, "a.pth"))


FILES = {
    "SVG": b"<?" + b"<sv" * 2_000_000,
    "PDF": b"%PDF" * 2_000_000,
    "JPEG of fill bytes": b"\xff\xd8" + b"\xff" * 8_000_000,
    "JPEG of markers": b"\xff\xd8" + b"\xff\xd0" * 4_000_000,
    "JPEG of short segments": b"\xff\xd8" + b"\xff\xe1\0\2" * 2_000_000,
    "GIF of blocks": b"GIF89a" + bytes(7) + b"\x21\xfe" + b"\1a" * 4_000_000,
    "GIF of extensions": b"GIF89a" + bytes(7) + b"\x21\xfe\0" * 2_000_000,
    "PNG of chunks": b"\x89PNG\r\n\x1a\n" + (struct.pack(">I", 0) + b"abcd" + bytes(4)) * 700_000,
    "WebP of chunks": SMALL_FILES["WebP"] + b"abcd\0\0\0\0" * 1_000_000,
    "HEIC of names": SMALL_FILES["HEIC"] + b"infe\2" * 1_600_000,
    "AVIF of names": SMALL_FILES["AVIF"] + b"infe\3" * 1_600_000,
    "TIFF of ends of rows": SMALL_FILES["TIFF fax 3"] + b"\0\1" * 4_000_000,
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_read_or_refused_at_once(kind):
    handled(lambda: read_image(FILES[kind]))
