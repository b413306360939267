"""Model with which the app opens, which must be there without a download."""

from ..errors import ModelError
from ..errors.arguments import shown, typed
from .folders import SUFFIXES
from .offered import is_offered, not_offered
from .pretrained import source_of
from .shipped_run import entry_of


@typed
def check_opening(name: str) -> None:
    """Check that the app can open with a model: a shipped one, an offered checkpoint, or a pretrained one on the disk.

    Raises:
        ModelError: if it cannot; the message is one sentence.
    """
    if is_offered(name) or entry_of(name) is not None:
        return
    try:
        is_there = source_of(name).on_disk() is not None
    except ModelError as error:
        raise (not_offered(shown(name)) if name.endswith(SUFFIXES) else error) from None
    if not is_there:
        raise ModelError(
            f"The model {shown(name)} is not on this machine's disk; download it with vitviz.load({name!r}) first."
        )
