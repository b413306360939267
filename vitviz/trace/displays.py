"""Display of a trace in notebooks and files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from PIL import Image


class Displays:
    """Methods of a `Trace` that show it in the explorer."""

    def save_html(
        self,
        path: str | Path,
        *,
        layer: int | str | None = None,
        head: int | None = None,
        query: int | Sequence[int] | None = None,
        layers: Sequence[int] | None = None,
        image: str | Path | bytes | Image.Image | None = None,
        tokens: bool = False,
    ) -> None:
        """Write the attention explorer to one HTML file, which opens without a network.

        The file contains queries and keys as float16, and computes the attention weights of all heads for the patch
        under the pointer, as the app does; the largest error of a weight is about 0.001. It has about 5 MB for all
        layers of ViT-S/14 at 224 px, and 2.5 MB for each layer at 518 px.

        Args:
            path: path of the file, such as `"cat.html"`; an existing file is replaced.
            layer: layer with which it opens, or `"pool"`; None for a telling view, chosen by
                `vitviz.analysis.default_view.default_view`.
            head: head with which it opens; None for the mean of the heads.
            query: token that is pinned when it opens, prefix tokens first; several patches for a region, whose mean row
                is shown; None for no pin.
            layers: layers whose heads follow the pointer. The other layers show only the token that is selected when
                the file opens. None for all layers if their queries and keys take at most 16 MB, and else only the
                layer with which the file opens.
            image: the original image, for a sharper picture than the model input, and its name.
            tokens: also include the tokens after these layers, for linked views: the similarity of tokens and their
                principal components as colours. The file then has about half as many bytes more, 8 MB at 224 px.

        Raises:
            IndexError: if an index is out of range.
            ArgumentError: if an argument is invalid.
            ImageError: if `image` cannot be read, or is not that of the trace.
            EditError: if an edit of the trace changes attention scores, which queries and keys do not contain.
            HookError: with `tokens`, if the trace was made in an edit block and has not recorded them.
            ModelError: with `tokens`, if the trace was opened without its model and has not recorded them.
            TraceError: if the file cannot be written.
        """
        explorer = _explorer("standalone")
        explorer.save_html(self, path, layer=layer, head=head, query=query, layers=layers, image=image, tokens=tokens)

    def show(
        self,
        *,
        layer: int | str | None = None,
        head: int | None = None,
        query: int | Sequence[int] | None = None,
        layers: Sequence[int] | None = None,
        image: str | Path | bytes | Image.Image | None = None,
    ) -> Any:
        """Show the attention explorer in a notebook: JupyterLab, VS Code, Colab or marimo.

        Arguments are those of `save_html`. Layers that are not among `layers` are sent when they are chosen.

        Returns:
            A widget. Its trait `view` (a `vitviz.notation.view.View`) follows what the user pins and chooses, and can
            be set. Without anywidget (the extra `vitviz[notebook]`), an object that a notebook displays as a frame with
            the page that `save_html` writes.

        Raises:
            IndexError: if an index is out of range.
            ArgumentError: if an argument is invalid.
            ImageError: if `image` cannot be read, or is not that of the trace.
            EditError: if an edit of the trace changes attention scores, which queries and keys do not contain.
        """
        return _explorer("notebook").show(self, layer=layer, head=head, query=query, layers=layers, image=image)

    def _repr_html_(self) -> str | None:
        return _explorer("notebook").frame_of(self)


def _explorer(name: str) -> ModuleType:
    """Return a module of the explorer. It is built on traces, so it is found when it is used."""
    return import_module(f"vitviz.viz.explorer.{name}")
