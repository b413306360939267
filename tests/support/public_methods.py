"""Calls of public methods and constructors with which they work, to be made with one argument wrong."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from timm import create_model as timm_model

from tests.support.heads import head_for
from vitviz import LinearHead, VisionTransformer, from_timm, images, open_head, open_scan, open_trace, scan, zoo
from vitviz.model.edits import HeadAblation
from vitviz.trace.passes import trace as whole_trace
from vitviz.trace.passes import trace_batch
from vitviz.viz import callbacks

HEAD_FIELDS = (
    *("name", "labels", "weight", "bias", "pooling", "output_kind", "model", "fingerprint", "preprocessing"),
    *("counts", "correct", "thumbnails"),
)


def methods(small, photo, checkpoint):
    """By name: what is public and no function of a module, and arguments with which it works."""
    safe = images.read_image(photo)
    prepared = images.prepare(safe, 16, 8)
    trace, geometry = small.trace(prepared), prepared.geometry
    saved = Path(checkpoint).with_name("it.trace")
    trace.save(saved)
    head = head_for(small)
    saved_head = Path(checkpoint).with_name("it.safetensors")
    head.save(saved_head)
    fields = {name: getattr(head, name) for name in HEAD_FIELDS}
    own = Path(checkpoint).with_name("scans")
    callback, log = callbacks.AttentionCallback([safe.rgb], size=16, side=8), SimpleNamespace(log=lambda _: None)
    board = SimpleNamespace(add_scalar=log.log, add_image=log.log)
    at = {"layer": 0, "head": 0, "query": 0}
    place = {"row": 0, "col": 0}
    return {
        "LinearHead": (LinearHead, fields),
        "LinearHead.save": (
            lambda path, with_thumbnails: head.save(
                saved.parent / path if type(path) is str else path, with_thumbnails=with_thumbnails
            ),
            {"path": saved_head, "with_thumbnails": True},
        ),
        "Trace.activation": (trace.activation, {"name": "norm"}),
        "Trace.activations": (lambda name: trace.activations(name, "norm"), {"name": "logits"}),
        "Trace.rerun": (trace.rerun, {"edits": [HeadAblation(0, 0)], "record": "norm"}),
        "Trace.attention": (trace.attention, at),
        "Trace.attention_rows": (trace.attention_rows, {"layer": 0, "queries": [0, 3]}),
        "Trace.head_index": (trace.head_index, {"head": 0}),
        "Trace.heatmap": (trace.heatmap, at),
        "Trace.keys": (trace.keys, {"layer": 0}),
        "Trace.queries": (trace.queries, {"layer": 0}),
        "Trace.row_sum": (trace.row_sum, {"layer": 0}),
        "Trace.save": (lambda path: trace.save(saved.parent / path if type(path) is str else path), {"path": saved}),
        "Trace.save_html": (
            lambda path, **more: trace.save_html(saved.parent / path if type(path) is str else path, **more),
            {
                "path": saved.with_name("it.html"),
                "layer": 0,
                "head": 0,
                "query": 0,
                "layers": [0],
                "image": safe.rgb,
                "tokens": True,
            },
        ),
        "Trace.show": (trace.show, {"layer": 0, "head": 0, "query": 0, "layers": [0], "image": safe.rgb}),
        "Trace.scores": (trace.scores, at | {"key": 0}),
        "Trace.token_index": (trace.token_index, {"token": 0}),
        "Trace.tokens": (trace.tokens, {"layer": 0}),
        "Trace.with_recorded": (trace.with_recorded, {"activations": {"norm": np.zeros((7, 24))}}),
        "VisionTransformer": (
            VisionTransformer,
            {
                "config": small.config,
                "name": "it",
                "preprocessing": images.IMAGENET,
                "labels": tuple("abcde"),
                "output_kind": "classes",
                "stem": None,
            },
        ),
        "VisionTransformer.embed": (small.embed, {"pixels": torch.zeros(1, 3, 16, 16)}),
        "VisionTransformer.forward": (small, {"pixels": torch.zeros(1, 3, 16, 16)}),
        "VisionTransformer.grid_of": (small.grid_of, {"pixels": torch.zeros(1, 3, 16, 16)}),
        "VisionTransformer.positions": (small.positions, {"rows": 2, "columns": 2}),
        "VisionTransformer.trace": (
            small.trace,
            {"image": safe.rgb, "size": 16, "fit": "crop", "record": ("norm",), "edits": [HeadAblation(0, 0)]},
        ),
        "VisionTransformer.trace_batch": (
            small.trace_batch,
            {"images": [safe.rgb], "size": 16, "fit": "crop", "record": ("norm",), "edits": [HeadAblation(0, 0)]},
        ),
        "callbacks.AttentionCallback": (
            callbacks.AttentionCallback,
            {
                "images": [safe.rgb],
                "writers": [callbacks.LogWriter(log)],
                "every_n_epochs": 1,
                "every_n_steps": None,
                "model": "backbone",
                "preprocessing": images.IMAGENET,
                "size": 16,
                "fit": "crop",
                "side": 8,
            },
        ),
        "callbacks.AttentionCallback.on_epoch_end": (callback.on_epoch_end, {"model": small, "epoch": 1}),
        "callbacks.AttentionCallback.on_step_end": (callback.on_step_end, {"model": small, "step": 1}),
        "callbacks.AttentionCallback.record": (callback.record, {"model": small, "number": 1}),
        "callbacks.FolderWriter": (callbacks.FolderWriter, {"folder": own, "checkpoints": True}),
        "callbacks.LogWriter": (callbacks.LogWriter, {"logger": log, "image": None, "tag": "vitviz"}),
        "callbacks.TensorBoardWriter": (callbacks.TensorBoardWriter, {"summary_writer": board, "tag": "vitviz"}),
        "images.Preprocessing": (
            images.Preprocessing,
            {
                "mean": (0.5,) * 3,
                "std": (0.5,) * 3,
                "interpolation": "bicubic",
                "crop_fraction": 1.0,
                "fit": "crop",
                "centre": "round",
                "size": 64,
            },
        ),
        "images.Preprocessing.for_channels": (images.IMAGENET.for_channels, {"channels": 1}),
        "images.Geometry.is_padding": (geometry.is_padding, place),
        "images.Geometry.patch_box": (geometry.patch_box, place),
        "images.as_picture": (images.as_picture, {"pixels": prepared.pixels}),
        "images.check_size": (images.check_size, {"size": 16, "patch": 8}),
        "images.normalise": (images.normalise, {"pixels": prepared.pixels, "preprocessing": images.IMAGENET}),
        "images.prepare": (
            images.prepare,
            {"image": safe, "size": 16, "patch": 8, "fit": "crop", "preprocessing": images.IMAGENET},
        ),
        "images.read_image": (images.read_image, {"source": str(photo)}),
        "trace.trace": (whole_trace, {"model": small, "image": prepared}),
        "trace.trace_batch": (trace_batch, {"model": small, "images": [prepared]}),
        "vitviz.from_timm": (from_timm, {"model": timm_model("vit_tiny_patch16_224", depth=1)}),
        "vitviz.open_head": (open_head, {"path": saved_head}),
        "vitviz.open_scan": (
            lambda folder: open_scan(own / folder if isinstance(folder, str) else folder),
            {"folder": scan(photo, small, own / "run").folder},
        ),
        "vitviz.scan": (
            lambda out, **more: scan(out=_unused(own, out), **more),
            {
                "source": str(photo),
                "model": small,
                "out": "run",
                "labels": "folders",
                "patch_tokens": [0],
                "size": 16,
                "fit": "crop",
                "batch_size": 1,
                "shard_size": 1,
                "workers": 1,
                "resume": False,
                "engine": "embedded",
                "actors": 1,
                "num_gpus": 0,
                "progress": None,
            },
        ),
        "vitviz.open_trace": (open_trace, {"path": saved, "model": small}),
        "zoo.can_reach_hub": (zoo.can_reach_hub, {"timeout": 0.1}),
        "zoo.facts": (zoo.facts, {"name": "vit_tiny_patch16_224.augreg_in21k_ft_in1k"}),
        "zoo.is_loaded": (zoo.is_loaded, {"model": small}),
        "zoo.load": (
            zoo.load,
            {
                "name": checkpoint,
                "arch": "vit_tiny_patch16_224",
                "classes": 5,
                "num_heads": 3,
                "prefix": "model",
                "arch_kwargs": {"global_pool": "token"},
                "mean": 0.5,
                "std": (0.5,) * 3,
                "interpolation": "bicubic",
                "crop_pct": 0.9,
                "fit": "crop",
                "size": 64,
                "head": None,
                "progress": None,
            },
        ),
        "zoo.load_offered": (zoo.load_offered, {"name": "best.pth"}),
        "zoo.search": (zoo.search, {"text": "small", "limit": 3}),
        "zoo.shared": (zoo.shared, {"name": "digits", "progress": None}),
    }


def _unused(folder: Path, name: object) -> object:
    """Name of a new folder in a given one, if it is a name at all; an empty one stays empty."""
    return folder / str(len([*folder.iterdir()])) / name if isinstance(name, str) and name else name
