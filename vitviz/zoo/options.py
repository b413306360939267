"""Options of a checkpoint that its file does not tell."""

from dataclasses import dataclass
from numbers import Integral

from ..arguments import is_whole, of_kind, shown
from ..errors import ModelError
from .class_names import Classes


@dataclass(frozen=True)
class Options:
    """Options of `vitviz.load` for a checkpoint.

    Attributes:
        arch: timm's name of the architecture.
        classes: the class names, or how many there are; 0 leaves the classifier out.
        heads: how many attention heads a block has.
        prefix: what the keys of the wanted model begin with, where a file holds several.

    Raises:
        ModelError: if the number of heads is no whole number of at least 1, or a name is no text.
    """

    arch: str | None = None
    classes: Classes | None = None
    heads: int | None = None
    prefix: str | None = None

    def __post_init__(self) -> None:
        of_kind(self.arch, str | None, "arch", ModelError)
        of_kind(self.prefix, str | None, "prefix", ModelError)
        heads = self.heads
        if heads is not None and (not is_whole(heads) or heads < 1):
            raise ModelError(f"heads is {shown(heads)}; give the number of attention heads, such as heads=6.")

    @property
    def any_given(self) -> bool:
        """True if any option is given."""
        return any(option is not None for option in (self.arch, self.classes, self.heads, self.prefix))

    @property
    def without_head(self) -> bool:
        """True if the classifier is left out."""
        return isinstance(self.classes, Integral) and not isinstance(self.classes, bool) and self.classes == 0


NOTHING_SAID = Options()
