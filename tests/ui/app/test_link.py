"""vitviz.ui.app.link: a link reopens the same view, and a nonsense link is answered in one sentence each."""

import re
from itertools import product

import pytest

from tests.support.random_models import POOLED, trace_of
from vitviz.images import FITS
from vitviz.notation.view import DIRECTIONS, SCALES, View, scales
from vitviz.ui.app.link import CHOICE, find_misspelled, parameter_names, read_choice
from vitviz.ui.app.views import NAMES_OF_VIEW, read_style, read_view, style_parameters, view_parameters
from vitviz.viz.colour import Style
from vitviz.zoo import SHIPPED

SAMPLES = {"cat": b"", "rocket": b""}


def assert_plain(notice):
    """One sentence, short enough to be read."""
    assert re.fullmatch(r"The link's .*\.", notice, re.DOTALL)
    assert len(notice) < 200


# --- Round trips -----------------------------------------------------------------------------------------------------


def views(trace):
    heads = [None, *range(trace.heads)]
    for head, query in product(heads, [None, *range(trace.token_count)]):
        yield View((query and query % trace.layers) or 0, head, query)
    for layer, direction, scale in product(range(trace.layers), DIRECTIONS, SCALES):
        yield View(layer, layer % trace.heads, 2 * layer, direction, scale)


@pytest.mark.parametrize("fixture", ["trace", "small_trace"])
def test_a_link_reopens_the_same_view(request, fixture):
    trace = request.getfixturevalue(fixture)
    if fixture == "trace":
        chosen = [view for view in views(trace) if view.query is None or view.query % 16 in (0, 7)]
    else:
        chosen = list(views(trace))
    links = {}
    for view in chosen:
        parameters = view_parameters(view, trace)
        assert set(parameters) <= set(NAMES_OF_VIEW)
        assert all(isinstance(value, str) for value in parameters.values())
        assert read_view(parameters, trace) == (view, [])
        links.setdefault(tuple(parameters.items()), set()).add(view)
    assert all(len(reopened) == 1 for reopened in links.values())


@pytest.mark.parametrize(
    ("view", "parameters"),
    [
        (View(2, 0), {"layer": "3", "head": "1", "direction": "from", "scale": "relative"}),
        (View(0, None, 0), {"layer": "1", "head": "mean", "direction": "from", "scale": "relative", "query": "cls"}),
        (
            View(0, 2, 2, "to", "raw"),
            {"layer": "1", "head": "3", "direction": "to", "scale": "raw", "query": "reg2"},
        ),
        (
            View(1, 2, 3 + 6 + 4, "to", "uniform"),
            {"layer": "2", "head": "3", "direction": "to", "scale": "uniform", "query": "2-5"},
        ),
    ],
)
def test_links_count_from_1_as_the_screen_does(small_trace, view, parameters):
    assert view_parameters(view, small_trace) == parameters


@pytest.mark.parametrize(("image", "fit"), list(product(SAMPLES, FITS)))
def test_choices_are_read(image, fit):
    for entry in SHIPPED.values():
        for size in entry.sizes:
            parameters = {"image": image, "model": entry.name, "size": str(size), "fit": fit, "layer": "3"}
            chosen = {"image": image, "model": entry.name, "size": size, "fit": fit}
            assert read_choice(parameters, SAMPLES) == (chosen, [])


def test_an_empty_link_says_nothing(small_trace):
    assert read_choice({}, SAMPLES) == ({}, [])
    assert read_view({}, small_trace) == (View(2), [])
    assert read_view(dict.fromkeys(CHOICE, "nonsense") | {"page": "7"}, small_trace) == (View(2), [])


@pytest.mark.parametrize(
    "style",
    [Style(), Style(0), Style(100, smooth=True), Style(35, marks=True), Style(1, True, True), Style(linked=True)],
)
def test_a_link_reopens_the_same_style(style):
    assert read_style(style_parameters(style)) == (style, [])
    assert read_choice(style_parameters(style), SAMPLES) == ({}, []), "nothing unknown is in it"


def test_the_usual_style_is_not_said():
    assert style_parameters(Style()) == {}
    assert style_parameters(Style(60, smooth=True)) == {"overlay": "60", "smooth": "on"}


@pytest.mark.parametrize(
    ("name", "text", "help_words"),
    [("overlay", text, "0 to 100") for text in ("", "101", "-1", "8.5", "00x", "1e1", "٣")]
    + [(name, text, "on") for name in ("smooth", "marks", "linked") for text in ("", "off", "ON", "1", "yes")]
    + [("relation", text, "within, into or out") for text in ("", "INTO", "both")],
)
def test_a_nonsense_part_of_a_style_is_left_out_and_said(name, text, help_words):
    style, (notice,) = read_style({name: text})
    assert style == Style()
    assert_plain(notice)
    assert help_words in notice


def test_a_users_own_image_is_no_choice_that_a_link_can_make():
    assert read_choice({"image": "own", "fit": "pad"}, SAMPLES) == ({"fit": "pad"}, [])


# --- Nonsense --------------------------------------------------------------------------------------------------------

NO_NUMBER = [
    "", " ", "0", "-1", "+1", "1.0", "1e0", "0x1", "4", "9" * 7, "9" * 400, "9" * 5000, "nan", "inf", "None", "null",
    "1 ", " 1", "1\n", "1_0", "٣", "１", "²", "½", "Ⅲ", "\0", "'; DROP TABLE", "<script>", "💥", "\u202e1", "\ud800",
    "True",
]  # fmt: skip
NO_WORD = ["", " ", "FROM", "From", "from ", "fr om", "share\n", "0", "None", "x" * 10_000, "💥", "\0", "<b>"]
NO_TOKEN = [
    "1", "0-1", "1-0", "5-1", "1-7", "1-1-1", "01-1", "1–1", "-1-1", "1,1", "cls1", "reg0", "reg3", "reg",
    "١-١", "9" * 400 + "-1",
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "help_words"),
    [("layer", text, "1 to 3") for text in [*NO_NUMBER, "mean"]]
    + [("head", text, "1 to 3 or mean") for text in [*NO_NUMBER, "Mean", "MEAN"]]
    + [("query", text, "cls, reg1, reg2 or a patch from 1-1 to 4-6") for text in [*NO_NUMBER, *NO_WORD, *NO_TOKEN]]
    + [("direction", text, "from or to") for text in NO_WORD]
    + [("scale", text, "relative, raw or uniform") for text in NO_WORD],
)
def test_a_nonsense_part_of_a_view_is_left_out_and_said(small_trace, name, text, help_words):
    right = {"layer": "2", "head": "3", "query": "2-5", "direction": "to", "scale": "raw"}
    without = {key: value for key, value in right.items() if key != name}
    view, notices = read_view(right | {name: text}, small_trace)
    assert view == read_view(without, small_trace)[0]
    (notice,) = notices
    assert_plain(notice)
    assert notice.startswith(f"The link's {name} “{text[:40]}” was ignored")
    assert help_words in notice


@pytest.mark.parametrize(
    ("name", "text", "help_words"),
    [("image", text, "cat or rocket") for text in [*NO_WORD, "Cat", "cat.jpg", "../cat"]]
    + [("model", text, "dinov2-small") for text in [*NO_WORD, "DINOv2-small", "vit_tiny_patch16_224"]]
    + [("fit", text, "crop, squash, pad or native") for text in [*NO_WORD, "Crop"]]
    + [("size", text, "224, 280") for text in [*NO_NUMBER, "225", "0224", "224.0", "٢٢٤", "224\n", "14000000"]],
)
def test_a_nonsense_choice_is_left_out_and_said(name, text, help_words):
    right = {"image": "cat", "model": "dinov2-small", "size": "224", "fit": "pad"}
    chosen, notices = read_choice(right | {name: text}, SAMPLES)
    assert chosen == {
        **{key: value for key, value in right.items() if key != name},
        **({"size": 224} if name != "size" else {}),
    }
    (notice,) = notices
    assert_plain(notice)
    assert notice.startswith(f"The link's {name} “{text[:40]}” was ignored")
    assert help_words in notice


def test_every_nonsense_part_is_said_and_the_rest_is_used(small_trace):
    view, notices = read_view({"layer": "99", "head": "2", "query": "far", "scale": "raw"}, small_trace)
    assert view == View(2, 1, None, "from", "raw")
    assert len(notices) == 2
    chosen, notices = read_choice({"image": "dog", "size": "1", "fit": "pad"}, SAMPLES)
    assert chosen == {"fit": "pad"}
    assert len(notices) == 2


OTHERS = (
    *("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id", "fbclid", "gclid", "dclid"),
    *(
        "msclkid",
        "twclid",
        "ttclid",
        "yclid",
        "igshid",
        "mc_cid",
        "mc_eid",
        "_ga",
        "_gl",
        "gad_source",
        "gad_campaignid",
    ),
    *(
        *("guid", "mode", "targetid", "imageid", "dept", "site"),
        "ref",
        "ref_src",
        "referrer",
        "source",
        "si",
        "share",
        "feature",
        "spm",
        "from",
        "via",
        "lang",
        "hl",
        "v",
        "t",
        "q",
    ),
    *("__theme", "theme", "embed", "embed_options", "sessionid", "nonsense", "", "x" * 10_000),
)


@pytest.mark.parametrize("name", OTHERS)
def test_parameters_of_others_say_nothing(name):
    assert read_choice({name: "1", "fit": "pad"}, SAMPLES) == ({"fit": "pad"}, [])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *[("layr", "layer"), ("Layer", "layer"), ("IMAGE", "image"), ("iamge", "image"), ("haed", "head")],
        *[("heads", "head"), ("querry", "query"), ("szie", "size"), ("edit", "edits"), ("target1", "target")],
    ],
)
def test_a_misspelt_parameter_is_said(written, meant):
    chosen, (notice,) = read_choice({written: "1", "fit": "pad"}, SAMPLES)
    assert chosen == {"fit": "pad"}
    assert_plain(notice)
    assert written in notice
    assert meant in notice


def test_no_parameter_of_ours_is_taken_for_another():
    assert find_misspelled(parameter_names()) == []


# --- Other kinds of attention ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*POOLED, "mean", "mean with registers", "distilled", "differential"])
def test_links_of_other_kinds_of_attention_reopen_the_same_view(kind):
    found = trace_of(kind)
    chosen = [view for view in views(found) if view.scale in scales(found)]
    if kind in POOLED:
        heads = [None, *range(found.config.pool_num_heads)]
        chosen += [View(3, head, query, "to") for head in heads for query in (None, 0, 9)]
    for view in chosen:
        assert read_view(view_parameters(view, found), found) == (view, [])


@pytest.mark.parametrize(
    ("kind", "view", "layer", "query"),
    [
        ("pooled", View(3, 3), "pool", None),
        ("pooled", View(2, 0, 0), "3", "1-1"),
        ("mean with registers", View(2, 0, 1), "3", "reg2"),
        ("distilled", View(2, 0, 0), "3", "cls"),
        ("distilled", View(2, 0, 1), "3", "dist"),
    ],
)
def test_marks_in_links(kind, view, layer, query):
    parameters = view_parameters(view, trace_of(kind))
    assert (parameters["layer"], parameters.get("query")) == (layer, query)


@pytest.mark.parametrize(
    ("kind", "parameters", "view", "help_words"),
    [
        ("mean", {"layer": "pool"}, View(2), "1 to 3"),
        ("pooled", {"layer": "4"}, View(2), "1 to 3 or pool"),
        ("pooled", {"layer": "pool", "head": "5"}, View(3), "1 to 4 or mean"),
        ("pooled", {"layer": "3", "head": "4"}, View(2), "1 to 3 or mean"),
        ("pooled", {"query": "cls"}, View(2), "a patch from 1-1 to 4-6"),
        ("mean with registers", {"query": "cls"}, View(2), "reg1, reg2 or a patch from 1-1 to 4-6"),
        ("distilled", {"query": "reg1"}, View(2), "cls, dist or a patch from 1-1 to 4-6"),
        ("differential", {"scale": "uniform"}, View(2), "relative or raw"),
    ],
)
def test_links_to_what_a_model_does_not_have(kind, parameters, view, help_words):
    found, (notice,) = read_view(parameters, trace_of(kind))
    assert found == view
    assert_plain(notice)
    assert notice.endswith(f"it can be {help_words}.")
