"""Linear heads with random numbers, and files of heads with any content and the matching checksum."""

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import load, save

from vitviz import LinearHead, VisionTransformer
from vitviz.trace.saved_weights import fingerprint
from vitviz.trace.trace_file import checksum
from vitviz.zoo.heads import head_bytes, preprocessing_of, with_pooling

LABELS = ("mug", "glass", "bowl")


def jpeg(side: int = 16, colour: str = "teal", kind: str = "JPEG") -> bytes:
    """Image of one colour as a file."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(file, kind)
    return file.getvalue()


def head_for(model: VisionTransformer, pooling: str | None = None, **changes: Any) -> LinearHead:
    """Return a head of a model, with random numbers and changed fields."""
    pooled = with_pooling(model, pooling).config
    random = np.random.default_rng(0)
    head = LinearHead(
        name="cups",
        labels=LABELS,
        weight=random.normal(size=(len(LABELS), pooled.feature_dim)),
        bias=random.normal(size=len(LABELS)),
        pooling=pooled.pooling,
        output_kind="classes",
        model=model.name,
        fingerprint=fingerprint(model),
        preprocessing=preprocessing_of(model),
        counts=(3, 4, 5),
        correct=11,
    )
    return replace(head, **changes)


def parts_of(head: LinearHead) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays of the file of a head, and the rest of the head as JSON."""
    data = head_bytes(head)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return load(data), json.loads(header["__metadata__"]["head"])


def file_of(arrays: dict[str, np.ndarray], about: Any, **metadata: str) -> bytes:
    """Return a file of a head with these parts, and possibly other metadata."""
    text = json.dumps(about)
    given = {"format": "vitviz linear head", "version": "1", "head": text, "sha256": checksum(arrays, text)}
    return save(arrays, given | metadata)
