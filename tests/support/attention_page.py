"""The page "Attention" without a browser, as tests open and read it."""

import math
import re
from dataclasses import replace

import numpy as np
from streamlit.testing.v1 import AppTest

import vitviz
from tests.support import random_models as kinds
from tests.support.app_pages import opened, placed, query, show_instead, texts
from tests.support.printed_sums import comes_out, printed_sums
from vitviz.model.config import RoPE
from vitviz.ui.app import models

KINDS = {
    "with registers": replace(kinds.PLAIN, num_registers=2),
    "pooled": kinds.CONFIGS["pooled"],
    "pooled of all": kinds.CONFIGS["pooled of all"],
    "differential": kinds.CONFIGS["differential"],
    "relative": kinds.CONFIGS["relative"],
    "mean with registers": kinds.CONFIGS["mean with registers"],
    "distilled": kinds.CONFIGS["distilled"],
    "rotary": replace(kinds.PLAIN, position_embedding=False, rope=RoPE("centred"), qk_norm=True),
    "gated, RMS": replace(kinds.PLAIN, mlp="gated", mlp_norm=True, activation="silu", norm="rms"),
    "post-norm": replace(kinds.PLAIN, block="post", attention_norm=True),
    "parallel": replace(kinds.PLAIN, block="parallel", pooling="token+mean"),
    "one head": replace(kinds.PLAIN, num_heads=1, num_registers=1),
    "one layer, two heads": replace(kinds.PLAIN, depth=1, num_heads=2),
}
CHECKED = ("qkv", "scores", "softmax", "values", "network", "output")  # sections with a line on their checks


def attention(**parameters: str) -> AppTest:
    return opened("attention", **parameters)


def show_kind(monkeypatch, kind: str) -> tuple[vitviz.ViTConfig, vitviz.Trace]:
    """Show a small random model of a kind of `KINDS` in place of the selected model; return its trace, too."""
    config = KINDS[kind]
    monkeypatch.setitem(kinds.CONFIGS, kind, config)
    trace = kinds.trace_of(kind)
    show_instead(monkeypatch, trace, kind)
    about = models.describe
    monkeypatch.setattr(models, "describe", lambda name: replace(about(name), config=config))
    return config, trace


def shown_view(app: AppTest) -> tuple[int, int]:
    """Layer and head of the address, from 0."""
    return int(query(app)["layer"]) - 1, int(query(app)["head"]) - 1


def assert_follows(app: AppTest, trace: vitviz.Trace, asked: int, answering: int) -> None:
    """Check that score, weighted sum and residual stream on the page are those of two tokens."""
    fine(app)
    layer, head = shown_view(app)
    names = [vitviz.notation.view.token_label(trace, token) for token in (asked, answering)]
    (scored,) = placed(app, "score_of")
    assert [name for name in names if name in scored] == names
    results = [float(right.replace("−", "-")) for _, right in printed_sums(re.sub(r"<[^>]+>", "", texts(app.main)))]
    z, stream = (trace.activation(f"blocks.{layer}.{part}") for part in ("attn.z", "resid_mid"))
    for wanted in (*np.atleast_1d(trace.scores(layer, head, asked, answering)), z[head, asked, 0], stream[asked, 0]):
        assert min(abs(result - float(wanted)) for result in results) < 2e-4 * max(1, abs(float(wanted)))
    assert query(app)["query"] == vitviz.notation.marks.format_token(asked, trace)


def strongest_patch(trace: vitviz.Trace, app: AppTest, token: int) -> int:
    """The patch with the largest weight of a token in the head on the page."""
    layer, head = shown_view(app)
    return trace.prefix + int(np.abs(trace.attention(layer, head, token)[trace.prefix :]).argmax())


def predictions(app: AppTest, name: str):
    """Widgets of a prediction."""
    return [widget for widget in app.segmented_control if widget.key.startswith(f"predicted_{name}_")]


def predict(app: AppTest, name: str, answer: str = "Show me") -> AppTest:
    (widget,) = predictions(app, name)
    return widget.set_value(answer).run()


def revealed(app: AppTest) -> AppTest:
    """The page after all predictions were skipped."""
    for name in ("strongest", "temperature"):
        if predictions(app, name):
            predict(app, name)
    return app


def fine(app: AppTest) -> str:
    """Return the text of the page after checking that it has no errors."""
    assert not app.exception
    assert not app.error
    said = texts(app.main) + "".join(element.proto.body for element in app.main.get("html"))
    checks = [expander.label for expander in app.expander if "badge" in expander.label]
    assert len(checks) == len(CHECKED)
    assert all("✓" in label and "✗" not in label for label in checks)
    assert all(placed(app, f"checks_{section}") for section in CHECKED)
    assert "7" in [title.value.partition(" ")[0] for title in app.header]
    assert "nan" not in texts(app).split()
    sums = printed_sums(re.sub(r"<[^>]+>", "", texts(app.main)).replace("\\", ""))
    assert len(sums) >= 3  # score, weighted sum, residual
    assert [one for one in sums if not comes_out(*one)] == []
    assert_softmax_comes_out(said)
    return said


def assert_softmax_comes_out(said: str) -> None:
    """Recompute every exp of the softmax table from its score and the maximum in the header."""
    largest = re.search(r"exp\(s − \(?(−?[\d.]+)\)?\)", said)
    if not largest:
        return  # differential attention shows two softmaxes instead
    rows = re.findall(
        r"<tr><td>[^<]*</td><td>(−?[\d.]+)</td><td>([\d.]+)</td>", said[largest.end() :].partition("</table>")[0]
    )
    assert rows
    for score, shown in rows:
        made = math.exp(float(score.replace("−", "-")) - float(largest[1].replace("−", "-")))
        assert f"{made:.4f}" == shown
