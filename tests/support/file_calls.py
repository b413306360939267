"""Valid calls of the public functions in `vitviz.viz` and `vitviz.notation`; see `public_calls`."""

import numpy as np
from PIL import Image

from vitviz.model.edits import HeadAblation
from vitviz.notation import view
from vitviz.viz import export
from vitviz.viz.colour import Style


def file_calls(small, trace, safe, prepared):
    """Valid arguments, by module and function, for a model, a trace of it, and its image before and after preparing."""
    looked, grid, row = view.View(1, 0), trace.grid, trace.attention(0, 0, 0)
    about = export.metadata(trace, looked, "cat.jpg", "small", "crop")
    names = [view.token_label(trace, token) for token in range(trace.token_count)]
    return {
        "notation.edits": {
            "parse_edits": {"text": "h1.1z", "config": small.config, "grid": grid},
            "edit_label": {"edit": HeadAblation(0, 0), "config": small.config, "grid": grid},
            "format_edits": {"edits": [HeadAblation(0, 0)], "config": small.config, "grid": grid},
        },
        "viz.figures": {
            "colour_limit": {"weights": np.ones((3, 3))},
            "by_layer": {
                "values": np.ones((3, 2)),
                "unit": "px",
                "layer": 0,
                "head": 0,
                "uniform": 0.5,
                "uniform_label": "uniform",
            },
            "describe_concentration": {"weights": row, "names": names, "direction": "from", "signed": False},
            "matrix": {"weights": np.ones((3, 3)), "prefix": 1, "limit": 1.0, "signed": False},
            "sorted_weights": {"weights": row, "names": names, "prefix": 3, "uniform": 0.1},
        },
        "viz.scan_figures": {
            "confusion_matrix": {"labels": ["a", "b"], "counts": np.ones((2, 2))},
            "group_colours": {"groups": ["a", "b", "a"]},
            "head_board": {
                "counts": np.ones((2, 3, 4)),
                "edges": np.ones((2, 3, 5)).cumsum(axis=-1),
                "chosen": (0, 1),
                "unit": "bit",
            },
            "scatter_map": {
                "positions": np.arange(2),
                "xy": np.ones((2, 2)),
                "groups": ["a", "b"],
                "values": None,
                "titles": ["1", "2"],
                "unit": "",
            },
        },
        "viz.export": {
            "arrays_npz": {"trace": trace, "view": looked, "about": about},
            "caption": {"trace": trace, "view": looked, "about": about},
            "captioned": {
                "image": Image.new("RGB", (9, 9)),
                "text": "a",
                "about": about,
                "colours": np.zeros((9, 3)),
                "kind": "webp",
                "min_width": 300,
            },
            "captioned_png": {
                "image": Image.new("RGB", (9, 9)),
                "text": "a",
                "about": about,
                "colours": np.zeros((9, 3)),
            },
            "file_stem": {"view": looked, "about": about},
            "metadata": {
                "trace": trace,
                "view": looked,
                "image_name": "a",
                "model_title": "b",
                "fit": "crop",
                "style": Style(),
            },
            "overlay_picture": {"trace": trace, "view": looked, "picture": Image.new("RGB", (9, 9))},
            "overlay_png": {"trace": trace, "view": looked, "picture": Image.new("RGB", (9, 9)), "about": about},
            "query_in_name": {"text": "7-9"},
            "safe_name": {"text": "a", "default": "b"},
            "stem": {"image": "a.png", "layer": 1, "head": 0, "token": "cls", "to": True},
        },
        "viz.colour": {
            "colour_map": {"scale": "relative", "signed": False},
            "Style": {"opacity": 50, "smooth": True, "marks": True, "linked": True},
            "css_gradient": {"scale": "relative", "signed": False, "opacity": 0.5},
            "colour_bar_labels": {"weights": row, "scale": "relative", "signed": False},
            "overlay": {
                "picture": Image.new("RGB", (9, 9)),
                "tones": np.zeros((3, 3)),
                "scale": "relative",
                "opacity": 0.5,
                "signed": False,
                "smooth": True,
            },
            "on_neutral": {"scale": "relative", "opacity": 0.5, "signed": False},
            "overlay_map": {"scale": "relative", "signed": False},
            "paint": {"tones": np.zeros((3, 3)), "scale": "relative", "signed": False, "over": True},
            "plotly_scale": {"scale": "relative", "stops": 3, "signed": False},
            "tone": {"weights": row, "scale": "uniform", "tokens": 7, "largest": 1.0, "signed": False},
        },
        "notation.view": {
            "View": {"layer": 0, "head": 0, "query": 0, "direction": "from", "scale": "relative"},
            "has_pool": {"trace": trace},
            "default_token": {"trace": trace},
            "token_layout": {"trace": trace},
            "pooling_note": {"config": small.config},
            "scales": {"trace": trace},
            "strongest_patch": {"trace": trace, "weights": row},
            "token_label": {"trace": trace, "token": 0},
            "token_phrase": {"trace": trace, "token": 0},
            "noun_phrase": {"label": "class token"},
        },
        "viz.overview": {
            "attention_overview": {"trace": trace, "query": 0, "side": 8},
            "overview_png": {"trace": trace, "about": {"image": "cat"}, "query": 0, "side": 8},
        },
        "viz.picture": {
            "frame_patch": {
                "picture": Image.new("RGB", (9, 9)),
                "grid": (3, 3),
                "row": 0,
                "column": 1,
                "colour": "#d96a00",
            },
            "frame_patches": {"picture": Image.new("RGB", (9, 9)), "patches": np.eye(3), "colour": "#d96a00"},
            "input_picture": {"trace": trace},
            "middle_square": {"image": safe, "side": 20},
            "original_with_crop": {"image": safe, "prepared": prepared, "longest": 20},
            "sharp_picture": {"image": safe, "prepared": prepared, "longest": 20},
        },
        "viz.inline": {
            "data_url": {"picture": Image.new("RGB", (9, 9))},
            "png": {"image": Image.new("RGB", (9, 9))},
            "text": {"data": b"a"},
        },
        "notation.queries": {
            "as_query": {"tokens": [5, 4]},
            "central_token": {"query": (4, 5), "trace": trace},
            "format_query": {"query": (4, 5), "trace": trace},
            "parse_query": {"text": "1-1..2", "trace": trace},
            "places": {"query": (4, 5), "trace": trace},
            "rectangles": {"inside": np.eye(3, dtype=bool)},
            "region_label": {"query": (4, 5), "trace": trace},
        },
        "notation.marks": {
            "percent": {"share": 0.5},
            "capital": {"text": "a"},
            "parse_class": {"text": "1", "count": 2},
            "head_in_name": {"mark": "4"},
            "format_head": {"head": 0},
            "layer_in_name": {"mark": "12"},
            "format_layer": {"layer": 0, "config": small.config},
            "format_patch": {"row": 0, "column": 0},
            "parse_number": {"text": "1", "count": 2, "otherwise": "mean"},
            "parse_head": {"text": "1", "layer": 0, "config": small.config},
            "parse_layer": {"text": "1", "config": small.config},
            "join_words": {"words": ["a", "b"], "last": "or"},
            "one_of": {"allowed": ["a", "b"]},
            "format_size": {"size": (16, 24)},
            "parse_size": {"text": "16x24"},
            "format_token": {"token": 0, "trace": trace},
            "parse_token": {"text": "1-1", "trace": trace},
        },
    }
