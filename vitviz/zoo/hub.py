"""Weights on this disk, on the Hugging Face hub, and on the way from there to here.

Weights live in the standard Hugging Face cache, where timm and others find them too. Whether the hub can be reached is
asked first and briefly: the hub's own client needs most of a minute to find out that there is no network.
"""

import queue
import ssl
import threading
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ..errors import ModelError
from ..errors.progress import Progress, silent
from .shipped import SHIPPED

_GATEWAY_ERRORS = (502, 503, 504)  # what a proxy says when there is nothing behind it


@dataclass(frozen=True)
class Source:
    """Where the weights of a model are published.

    Attributes:
        repository: on the hub; empty if they are elsewhere.
        files: their possible names there, the best first.
        revision: of the repository; None for its newest.
        url: of the file if it is not on the hub; empty if it is.
    """

    repository: str
    files: tuple[str, ...] = ("model.safetensors", "pytorch_model.bin")
    revision: str | None = None
    url: str = ""

    def on_disk(self) -> Path | None:
        """The file if it is on this disk: in the Hugging Face cache, or in PyTorch's for weights from elsewhere."""
        if self.url:
            path = _torch_cache() / Path(urlsplit(self.url).path).name
            return path if path.is_file() else None
        from huggingface_hub import try_to_load_from_cache

        found = (try_to_load_from_cache(self.repository, file, revision=self.revision) for file in self.files)
        return next((Path(path) for path in found if isinstance(path, str)), None)

    def is_known_missing(self) -> bool:
        """Return whether the cache says that the repository has none of the files."""
        from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache

        found = [try_to_load_from_cache(self.repository, file, revision=self.revision) for file in self.files]
        return all(path is _CACHED_NO_EXIST for path in found)


class _NothingThereError(ModelError):
    """The repository has none of the files."""


def weights_of(name: str, source: Source, progress: Progress | None = None) -> Path:
    """The file with a model's weights, downloaded if it is not on this disk.

    Args:
        name: what to call the model in messages.
        source: where its weights are published.
        progress: called with how many bytes are here and how many there will be (0: not known). What it raises stops
            the download and reaches the caller; what the hub's client has got by then it goes on from the next time.

    Raises:
        ModelError: if they are neither here nor to be had; within three seconds if the hub cannot be reached.
    """
    found = source.on_disk()
    if found is not None:
        return found
    refuse_out_of_reach(name, source)
    return _download_url(name, source.url, progress) if source.url else _download(name, source, progress)


def optional_file(name: str, source: Source) -> Path | None:
    """A file that describes a model, downloaded if it is not on this disk; None if there is none or it is out of reach.

    Raises:
        ModelError: if the download breaks off.
    """
    found = source.on_disk()
    if found is not None or source.is_known_missing() or not can_reach_hub():
        return found
    try:
        return _download(name, source, None)
    except _NothingThereError:
        return None


def refuse_out_of_reach(name: str, source: Source) -> None:
    """Find out briefly whether a model's weights can be had at all.

    Raises:
        ModelError: if they are not on this disk and whoever has them does not answer.
    """
    if source.on_disk() is None and not (can_reach(source.url) if source.url else can_reach_hub()):
        raise ModelError(
            f"The weights of {name!r} are not on this disk and the hub cannot be reached; "
            f"shipped models: {', '.join(SHIPPED)}."
        )


def can_reach_hub(timeout: float = 2.0) -> bool:
    """Whether the Hugging Face hub answers within `timeout` seconds; False without asking if HF_HUB_OFFLINE is set."""
    from huggingface_hub import constants

    return can_reach(constants.ENDPOINT, timeout)


def can_reach(url: str, timeout: float = 2.0) -> bool:
    """Whether a server answers within `timeout` seconds, whatever it says; False if HF_HUB_OFFLINE is set."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    answer: queue.SimpleQueue[bool] = queue.SimpleQueue()
    # In a thread, because looking up an address has no timeout of its own.
    threading.Thread(target=lambda: answer.put(_answers(url, timeout)), daemon=True).start()
    try:
        return answer.get(timeout=timeout)
    except queue.Empty:
        return False


def _answers(url: str, timeout: float) -> bool:
    try:
        with urlopen(Request(url, method="HEAD"), timeout=timeout):
            return True
    except HTTPError as error:
        return error.code not in _GATEWAY_ERRORS
    except URLError as error:
        return isinstance(error.reason, ssl.SSLCertVerificationError)  # the hub's client may know the certificate
    except (OSError, HTTPException, ValueError):
        return False


def _download(name: str, source: Source, progress: Progress | None) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    report = _Relay(progress or silent)
    bar = _bar(report) if progress else None
    for file in source.files:
        try:
            path = Path(hf_hub_download(source.repository, file, revision=source.revision, tqdm_class=bar))
            report.pass_on()  # some of the client's threads lose what their callback raises
            return path
        except LocalEntryNotFoundError as error:
            raise _broken_off(name, error) from error
        except EntryNotFoundError:
            continue
        except Exception as error:  # the client's errors and those of the two HTTP libraries below it have no base
            report.pass_on()
            if getattr(getattr(error, "response", None), "status_code", None) in (401, 403):
                raise ModelError(
                    f"The hub does not hand out the weights of {name!r} to everybody: accept the licence at "
                    f"https://huggingface.co/{source.repository} and set HF_TOKEN to a token of your account."
                ) from error
            raise _broken_off(name, error) from error
    raise _NothingThereError(
        f"The hub has no weights of {name!r}: {source.repository} holds none of {', '.join(source.files)}."
    )


def _download_url(name: str, url: str, progress: Progress | None) -> Path:
    path = _torch_cache() / Path(urlsplit(url).path).name
    part = path.with_name(f"{path.name}.{threading.get_ident()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    report = _Relay(progress or silent)
    try:
        with urlopen(url, timeout=10) as answer, part.open("wb") as file:
            total = int(answer.headers.get("Content-Length", 0))
            while chunk := answer.read(1 << 20):
                file.write(chunk)
                report(file.tell(), total)
            if total not in (0, file.tell()):
                raise EOFError(f"{file.tell()} of {total} bytes")
        return part.replace(path)
    except (OSError, EOFError, HTTPException) as error:
        report.pass_on()
        raise _broken_off(name, error) from error
    finally:
        part.unlink(missing_ok=True)


def _broken_off(name: str, error: Exception) -> ModelError:
    return ModelError(f"The download of {name!r} broke off ({type(error).__name__}); load it again to retry.")


def _torch_cache() -> Path:
    from torch.hub import get_dir

    return Path(get_dir()) / "checkpoints"


class _Relay:
    """A `Progress` that remembers the error it has raised, because the client of the hub may replace or lose it."""

    def __init__(self, progress: Progress):
        self._progress, self._raised = progress, None

    def __call__(self, done: int, total: int) -> None:
        try:
            self._progress(done, total)
        except BaseException as error:
            self._raised = error
            raise

    def pass_on(self) -> None:
        """Raise that error again, if there is one."""
        if self._raised is not None:
            raise self._raised


def _bar(progress: Progress) -> type:
    """A progress bar for the hub's client that draws nothing and calls `progress`."""

    class Bar:
        def __init__(self, *_: Any, total: int | None = None, initial: int = 0, **__: Any):
            self.total, self.n = total, initial
            self.update(0)

        def update(self, n: int = 1) -> None:
            self.n += n
            progress(int(self.n), int(self.total or 0))

        def update_transfer(self, n: int = 1) -> None:
            """Bytes on the wire, which are not those of the file. The client then makes one bar instead of two."""

        def set_postfix_str(self, *_: Any, **__: Any) -> None:
            pass

        set_transfer_postfix_str = refresh = close = set_postfix_str

        def __enter__(self):
            return self

        def __exit__(self, *_: Any) -> None:
            pass

    return Bar
