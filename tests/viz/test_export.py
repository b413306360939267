"""vitviz.viz.export: files for download, their captions and metadata."""

import io
import json
import re

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageColor

from tests.support.facts import assert_mentions
from tests.support.random_models import POOLED, trace_of
from vitviz.errors import ArgumentError
from vitviz.notation.marks import percent
from vitviz.notation.view import SCALES, View, token_label
from vitviz.viz import provenance
from vitviz.viz.colour import KEY, QUERY, Style, on_neutral, overlay, overlay_map, tone
from vitviz.viz.export import (
    SCALE_LABELS,
    arrays_npz,
    caption,
    captioned,
    file_stem,
    metadata,
    overlay_picture,
    overlay_png,
)

VIEWS = [
    View(11, 3, 120),
    View(0, 0, None, "from", "raw"),
    View(5, None, 17, "to", "uniform"),
    View(11, 5, 256, "to"),
    View(2, 1, 1, "from", "uniform"),
]


def about(trace, view, style=None):
    return metadata(trace, view, "cat.jpg", "DINOv2-S/14", "crop", style or Style())


def shown(trace, view):
    """Weights of a view, from the whole matrix."""
    weights = trace.attention(view.layer)
    weights = weights.mean(axis=0) if view.head is None else weights[view.head]
    token = view.query or 0
    return weights[token] if view.direction == "from" else weights[:, token]


def png_of(trace, view, picture):
    return Image.open(io.BytesIO(overlay_png(trace, view, picture, about(trace, view))))


@pytest.fixture(scope="module")
def picture():
    return Image.linear_gradient("L").resize((640, 640)).convert("RGB")


def test_metadata_by_hand(trace, small_trace):
    assert about(trace, View(11, 3, 120, "to", "raw")) == {
        "image": "cat.jpg",
        "model": "DINOv2-S/14",
        **provenance.of_model(trace.model),
        "input": [224, 224],
        "fit": "crop",
        "grid": [16, 16],
        "prefix": ["class token"],
        "layer": 12,
        "head": 4,
        "token": "8-8",
        "counted_from": 1,
        "direction": "to",
        "scale": "raw",
        "opacity": 0.8,
        "smooth": False,
    }
    seen = about(small_trace, View(0, None, None))
    assert (seen["head"], seen["token"], seen["input"], seen["grid"]) == ("mean", "cls", [48, 32], [4, 6])
    assert seen["prefix"] == ["class token", "register 1", "register 2"]


@pytest.mark.parametrize("view", VIEWS)
def test_the_caption_tells_the_truth(trace, view):
    weights = shown(trace, view)
    strongest = 1 + int(np.argmax(weights[1:]))
    text = caption(trace, view, about(trace, view))
    assert text.startswith(f"{view.label(trace)}: {view.direction_label(trace)}. ")
    row, column, share = re.search(r"Strongest patch: \((\d+), (\d+)\), ([\d.]+) %\.", text).groups()
    assert (int(row), int(column)) == ((strongest - 1) // 16 + 1, (strongest - 1) % 16 + 1)
    assert float(share) / 100 == pytest.approx(weights[strongest], rel=0.006)
    high = {
        "relative": f"0 to {share} %",
        "raw": "0 to 100 %",
        "uniform": "at most 1/32 x uniform to at least 32 x uniform",
    }[view.scale]
    assert f"Colour: {SCALE_LABELS[view.scale]}, {high}. " in text
    assert_mentions(text, "DINOv2-S/14", "cat.jpg", "224 x 224", "(crop)")


@pytest.mark.parametrize("view", VIEWS)
def test_the_png_says_what_it_shows(trace, picture, view):
    png = png_of(trace, view, picture)
    png.load()
    assert json.loads(png.text["vitviz"]) == about(trace, view)
    assert png.text["Description"] == caption(trace, view, about(trace, view))


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_other_formats_say_it_too(trace, picture, kind):
    view = View(11, 3, 120)
    text = "a café’s “cat”"
    data = captioned(overlay_picture(trace, view, picture), text, about(trace, view), kind=kind)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format.lower() == kind
        exif = image.getexif()
        assert exif[ExifTags.Base.ImageDescription].encode("latin-1").decode() == text
        comment = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
        assert json.loads(comment.removeprefix(b"ASCII\0\0\0")) == about(trace, view)
        drawn = np.asarray(overlay_picture(trace, view, picture).resize((40, 40)))
        seen = np.asarray(image.convert("RGB").crop((0, 0, *picture.size)).resize((40, 40)))
        assert np.abs(seen.astype(int) - drawn).mean() < 8


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_what_a_format_cannot_hold_is_refused_in_a_sentence(trace, kind):
    with pytest.raises(ArgumentError, match={"jpeg": "65500", "webp": "16383"}[kind]):
        captioned(Image.new("RGB", (9, 66_000)), "a", about(trace, VIEWS[0]), kind=kind)


@pytest.mark.parametrize("view", VIEWS)
def test_the_png_shows_the_weights(trace, picture, view):
    """The centre of each patch, outside any frame, has the colour of its weight."""
    weights = shown(trace, view)[1:]
    tones = tone(weights, view.scale, 257).reshape(16, 16)
    pixels = np.asarray(png_of(trace, view, picture))[20:640:40, 20:640:40]
    expected = np.asarray(overlay(picture, tones, view.scale))[20:640:40, 20:640:40]
    assert np.abs(pixels.astype(int) - expected).max() <= 1
    assert np.abs(pixels.astype(int) - np.asarray(picture)[20:640:40, 20:640:40]).max() > 50


@pytest.mark.parametrize("style", [Style(0), Style(35), Style(100, smooth=True)])
def test_the_png_follows_opacity_and_smoothing(trace, picture, style):
    view = View(9, 2, 86)
    said = about(trace, view, style)
    assert (said["opacity"], said["smooth"]) == (style.opacity / 100, style.smooth)
    png = Image.open(io.BytesIO(overlay_png(trace, view, picture, said)))
    tones = tone(shown(trace, view)[1:], "relative", 257).reshape(16, 16)
    wanted = np.asarray(overlay(picture, tones, "relative", style.opacity / 100, smooth=style.smooth)).astype(int)
    off = np.abs(np.asarray(png)[:640, :640].astype(int) - wanted).max(axis=2)
    assert (off > 1).sum() <= 2 * (40**2 - 34**2), "only the two frames differ"
    assert f"Overlay: {style.opacity} %{', smooth' if style.smooth else ''}." in png.text["Description"]
    bar = np.asarray(png)[640 + 14 + 5, 14:-14].astype(int)
    assert np.abs(bar[[0, -1]] - on_neutral("relative", style.opacity / 100)[[0, -1]]).max() <= 2


def test_query_and_strongest_patch_are_framed(trace, picture):
    view = View(11, 3, 1 + 7 * 16 + 4)
    png = png_of(trace, view, picture)
    strongest = int(np.argmax(shown(trace, view)[1:]))
    assert strongest != 7 * 16 + 4
    frames = {(7, 4): QUERY, divmod(strongest, 16): KEY}
    for (row, column), colour in frames.items():
        corners = [(40 * column, 40 * row), (40 * column + 39, 40 * row + 39), (40 * column + 20, 40 * row)]
        assert [png.getpixel(corner) for corner in corners] == [ImageColor.getrgb(colour)] * 3
    pixels = np.asarray(png)[:640, :640]
    framed = (pixels == ImageColor.getrgb(QUERY)).all(axis=2)
    assert framed.sum() == 40**2 - 34**2  # one frame, 3 pixels wide, and nothing else


def test_a_class_token_has_no_frame(trace, picture):
    pixels = np.asarray(png_of(trace, View(11, 3, 0), picture))[:640]
    assert not (pixels == ImageColor.getrgb(QUERY)).all(axis=2).any()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("width", "height"), [(640, 640), (960, 480), (200, 400)])
def test_caption_and_colour_bar_are_below_the_picture(trace, scale, width, height):
    png = png_of(trace, View(11, 3, 5, "from", scale), Image.new("RGB", (width, height)))
    pixels = np.asarray(png)
    assert png.width == max(width, 480)
    below = pixels[height:]
    assert (below[:14] == 255).all()
    bar = below[14 + 5, 14:-14]
    assert np.abs(bar[[0, -1]].astype(int) - on_neutral(scale)[[0, -1]]).max() <= 2
    text = below[14 + 10 + 14 :]
    assert (text.min(axis=2) < 100).any(axis=1).sum() > 20  # rows with ink
    assert (text[-8:] == 255).all()  # no line is cut off below ...
    assert (text[:, -6:] == 255).all()  # ... nor at the right


def test_the_given_picture_is_not_drawn_on(trace, picture):
    before = picture.tobytes()
    png_of(trace, VIEWS[0], picture)
    assert picture.tobytes() == before


@pytest.mark.parametrize("view", VIEWS)
def test_the_npz_holds_the_numbers(trace, view):
    with np.load(io.BytesIO(arrays_npz(trace, view, about(trace, view))), allow_pickle=False) as arrays:
        assert sorted(arrays) == ["matrix", "metadata", "weights"]
        assert arrays["weights"].dtype == arrays["matrix"].dtype == np.float32
        assert arrays["weights"] == pytest.approx(shown(trace, view), abs=1e-5)
        heads = trace.attention(view.layer)
        matrix = heads.mean(axis=0) if view.head is None else heads[view.head]
        assert arrays["matrix"] == pytest.approx(matrix, abs=1e-5)
        assert json.loads(str(arrays["metadata"])) == about(trace, view)


@pytest.mark.parametrize(
    ("name", "view", "stem"),
    [
        ("cat.jpg", View(11, 3, 1 + 6 * 16 + 8), "cat-L12-H4-7-9"),
        ("cat.jpg", View(11, 3, 1 + 6 * 16 + 8, "to"), "cat-L12-H4-7-9-to"),
        ("cat", View(0, None, None), "cat-L1-mean-cls"),
        ("cat.jpg", View(11, 3, (1, 2, 17, 18)), "cat-L12-H4-1--2-1--2"),
        ("my photo (1).final.png", View(0, 0, 1), "my-photo--1--final-L1-H1-1-1"),
        ("../../etc/passwd", View(0, 0, 1), "image-L1-H1-1-1"),
        ("💥.jpg", View(0, 0, 1), "image-L1-H1-1-1"),
        ("a" * 300, View(0, 0, 1), "a" * 40 + "-L1-H1-1-1"),
    ],
)
def test_file_names(trace, name, view, stem):
    assert file_stem(view, metadata(trace, view, name, "DINOv2-S/14", "crop")) == stem


def test_a_long_region_has_a_name_of_its_own(trace):
    chequered = [View(0, 0, tuple(range(first, 257, 2))) for first in (1, 3, 5)]
    names = {file_stem(view, about(trace, view)) for view in chequered}
    assert len(names) == 3
    assert max(map(len, names)) < 60


def test_a_region_is_framed_along_its_edge(trace, picture):
    """Around the four patches, and not between them."""
    tokens = tuple(1 + 16 * row + column for row in (4, 5) for column in (6, 7))
    drawn = np.asarray(overlay_picture(trace, View(2, 1, tokens), picture)).astype(int)
    frame = np.abs(drawn - ImageColor.getrgb(QUERY)).max(axis=-1) == 0
    rows, columns = np.nonzero(frame)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (160, 239, 240, 319)
    inner = frame[163:237, 243:317]
    assert not inner.any()
    arrays = np.load(io.BytesIO(arrays_npz(trace, View(2, 1, tokens), about(trace, View(2, 1, tokens)))))
    np.testing.assert_allclose(arrays["weights"], trace.attention(2, 1, list(tokens)), atol=1e-6)


def test_registers_have_names_in_captions(small_trace):
    view = View(1, 2, 2)
    text = caption(small_trace, view, about(small_trace, view))
    assert text.startswith("Layer 2, head 3, register 2: ")
    weights = small_trace.attention(1, 2, 2)
    strongest = 3 + int(np.argmax(weights[3:]))
    assert (
        f"Strongest patch: {token_label(small_trace, strongest).removeprefix('patch ')}, {percent(weights[strongest])}."
        in text
    )
    assert "48 x 32 px" in text


# --- Other kinds of attention ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", POOLED)
def test_a_pooling_is_taken_home_as_what_it_is(kind):
    found, view = trace_of(kind), View(3, 1, 5, "to")
    said = about(found, view)
    assert (said["layer"], said["head"], said["token"], said["direction"]) == ("pool", 2, None, "from")
    assert caption(found, view, said).startswith("Pooling, head 2: ")
    assert file_stem(view, said) == "cat-pool-H2"
    assert file_stem(View(3, None), about(found, View(3, None))) == "cat-pool-mean"
    with np.load(io.BytesIO(arrays_npz(found, view, said))) as arrays:
        assert np.array_equal(arrays["matrix"], found.attention("pool", 1))
        assert np.array_equal(arrays["weights"], found.attention("pool", 1)[0])
    png = np.asarray(png_of(found, view, Image.new("RGB", (480, 320))))
    assert not (png[:320] == ImageColor.getrgb(QUERY)).all(axis=2).any(), "no query patch"
    assert (png[:320] == ImageColor.getrgb(KEY)).all(axis=2).any()


def test_signed_weights_are_taken_home_with_their_signs():
    found = trace_of("differential")
    views = [View(1, head, token) for head in range(3) for token in range(1, 25)]
    view = min(views, key=lambda view: view.weights(found)[1:].min() + view.weights(found)[1:].max())
    weights = view.weights(found)[1:]
    strongest = weights[np.abs(weights).argmax()]
    assert strongest < 0
    text = caption(found, view, about(found, view))
    size = percent(-float(strongest))
    assert (
        f"Strongest patch: {token_label(found, 1 + int(np.abs(weights).argmax())).removeprefix('patch ')}, -{size}."
        in text
    )
    assert f"Colour: relative to max, signed, 0 in the middle, -{size} to {size}." in text
    assert f"Rows sum to 1 - lambda = {found.row_sum(1):.2f}." in text
    pixels = np.asarray(png_of(found, view, Image.new("RGB", (480, 320))))[40:320:80, 40:480:80]
    painted = overlay_map("relative", True)[np.round(255 * tone(weights, "relative", 25, signed=True)).astype(int)]
    wanted = (0.8 * painted[:, 3:] / 255 * painted[:, :3]).reshape(4, 6, 3)
    assert np.abs(pixels - wanted).max() <= 1.5
