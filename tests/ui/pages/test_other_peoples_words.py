"""Names of files, classes and architectures are other people's words: every page shows them as they are."""

import re
from dataclasses import replace

import pytest
import torch

from tests.conftest import SMALL
from tests.support.app_pages import NAMES, app_with, picture, show_instead
from vitviz import VisionTransformer
from vitviz.images import prepare, read_image
from vitviz.ui.app import state
from vitviz.ui.app.messages import escape_markdown

HOSTILE = "{x} [a](javascript:b) :material/home: :red[r] $y$ <img src=x onerror=b> **c** `d` & {N}"


def shown(app):
    """Texts drawn as Markdown and as HTML."""
    kinds = (app.markdown, app.caption, app.warning, app.error, app.info, app.success, app.header, app.title)
    markdown = [element.value for kind in kinds for element in kind]
    return markdown, [element.proto.body for element in app.get("html")]


@pytest.mark.parametrize("classes", [5, 0])
@pytest.mark.parametrize("page", NAMES)
def test_every_page_shows_them_as_they_are(page, classes, monkeypatch):
    model = VisionTransformer(replace(SMALL, num_classes=classes), HOSTILE, labels=(HOSTILE,) * classes)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) / 2
    data = picture()
    trace = model.trace(prepare(read_image(data), 32, SMALL.patch_size))
    show_instead(monkeypatch, trace, f"hostile {classes}")
    app = app_with({}).switch_page(f"pages/{page}.py").run()
    app.session_state["picked"] = state.Picked(f"{HOSTILE}.png", data, sample=False)
    app.run()
    assert not app.exception, app.exception[0].message
    markdown, bodies = shown(app)
    unescaped = [re.sub(r"\\\W", "", text) for text in markdown]
    for part in ("[a](javascript:b)", ":material/home:", ":red[r]", "$y$", "<img src=x", "**c**", "`d`"):
        assert not [text for text in unescaped if part in text]
    assert not [body for body in bodies if "<img src=x" in body]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\n\n# b", "a  \\# b"),
        ("- a", "\\- a"),
        ("+ a", "\\+ a"),
        ("12. a", "12\\. a"),
        ("3) a", "3\\) a"),
        ("===", "\\==="),
        ("    a", "a"),
        ("a\x1b[31m\x00b", "a \\[31m b"),
        ("a\u202eb\u2066c", "a b c"),
        ("4", "4"),
        ("0.5 of it", "0.5 of it"),
        ("a\u00a0b", "a\u00a0b"),
    ],
)
def test_what_begins_a_block_or_cannot_be_seen(text, escaped):
    assert escape_markdown(text) == escaped
