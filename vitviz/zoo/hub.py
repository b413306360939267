"""Find weights on disk and download them from the Hugging Face hub.

Weights are stored in the standard Hugging Face cache, which timm and other libraries use too. A short request first
checks that the hub can be reached, because its own client takes most of a minute to detect a missing network.
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

_GATEWAY_ERRORS = (502, 503, 504)  # answers of a proxy that cannot reach the server


@dataclass(frozen=True)
class Source:
    """Location of published weights.

    Attributes:
        repository: repository on the hub; "" if the weights are elsewhere.
        files: possible names of the file in the repository, in order of preference.
        revision: revision of the repository; None for the newest.
        url: URL of a file that is not on the hub; "" otherwise.
    """

    repository: str
    files: tuple[str, ...] = ("model.safetensors", "pytorch_model.bin")
    revision: str | None = None
    url: str = ""

    def on_disk(self) -> Path | None:
        """Path of the file in the Hugging Face cache, or in PyTorch's cache for other URLs; None if it is not there."""
        if self.url:
            path = _torch_cache() / Path(urlsplit(self.url).path).name
            return path if path.is_file() else None
        from huggingface_hub import try_to_load_from_cache

        found = (try_to_load_from_cache(self.repository, file, revision=self.revision) for file in self.files)
        return next((Path(path) for path in found if isinstance(path, str)), None)

    def is_known_missing(self) -> bool:
        """Return whether, according to the cache, the repository has none of the files."""
        from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache

        found = [try_to_load_from_cache(self.repository, file, revision=self.revision) for file in self.files]
        return all(path is _CACHED_NO_EXIST for path in found)


class _NoSuchFileError(ModelError):
    """Error for a repository that has none of the files."""


def weights_of(name: str, source: Source, progress: Progress | None = None) -> Path:
    """Return the file with a model's weights; download it if it is not on disk.

    Args:
        name: name of the model for messages.
        source: location of its weights.
        progress: function called with the bytes downloaded so far and the total (0 if it is not known). An exception
            that it raises stops the download and reaches the caller; the next download continues from the bytes that
            the hub's client has stored.

    Raises:
        ModelError: if the weights are not on disk and cannot be downloaded; within three seconds if the hub cannot be
            reached.
    """
    found = source.on_disk()
    if found is not None:
        return found
    refuse_unreachable(name, source)
    return _download_url(name, source.url, progress) if source.url else _download(name, source, progress)


def optional_file(name: str, source: Source) -> Path | None:
    """Return a file that describes a model; download it if needed; None if it does not exist or cannot be reached.

    Raises:
        ModelError: if the download fails.
    """
    found = source.on_disk()
    if found is not None or source.is_known_missing() or not can_reach_hub():
        return found
    try:
        return _download(name, source, None)
    except _NoSuchFileError:
        return None


def refuse_unreachable(name: str, source: Source) -> None:
    """Check within a few seconds that a model's weights are on disk or that their server can be reached.

    Raises:
        ModelError: if neither is the case.
    """
    if source.on_disk() is None and not (can_reach(source.url) if source.url else can_reach_hub()):
        raise ModelError(
            f"The weights of {name!r} are not on this disk and the hub cannot be reached; "
            f"shipped models: {', '.join(SHIPPED)}."
        )


def can_reach_hub(timeout: float = 2.0) -> bool:
    """Return whether the Hugging Face hub answers within `timeout` seconds; False if HF_HUB_OFFLINE is set."""
    from huggingface_hub import constants

    return can_reach(constants.ENDPOINT, timeout)


def can_reach(url: str, timeout: float = 2.0) -> bool:
    """Return whether a server answers within `timeout` seconds; False if HF_HUB_OFFLINE is set."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    answer: queue.SimpleQueue[bool] = queue.SimpleQueue()
    # In a thread, because DNS lookup has no timeout.
    threading.Thread(target=lambda: answer.put(_responds(url, timeout)), daemon=True).start()
    try:
        return answer.get(timeout=timeout)
    except queue.Empty:
        return False


def _responds(url: str, timeout: float) -> bool:
    try:
        with urlopen(Request(url, method="HEAD"), timeout=timeout):
            return True
    except HTTPError as error:
        return error.code not in _GATEWAY_ERRORS
    except URLError as error:
        return isinstance(error.reason, ssl.SSLCertVerificationError)  # the hub's client may accept the certificate
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
            raise _download_error(name, error) from error
        except EntryNotFoundError:
            continue
        except Exception as error:  # errors of the client and its two HTTP libraries have no common base class
            report.pass_on()
            if getattr(getattr(error, "response", None), "status_code", None) in (401, 403):
                raise ModelError(
                    f"Access to the weights of {name!r} on the hub is restricted; accept the licence at "
                    f"https://huggingface.co/{source.repository} and set HF_TOKEN to a token of your account."
                ) from error
            raise _download_error(name, error) from error
    raise _NoSuchFileError(
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
        raise _download_error(name, error) from error
    finally:
        part.unlink(missing_ok=True)


def _download_error(name: str, error: Exception) -> ModelError:
    return ModelError(f"The download of {name!r} failed ({type(error).__name__}); load it again to retry.")


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
    """Create a progress bar class for the hub's client that displays nothing and calls `progress`."""

    class Bar:
        def __init__(self, *_: Any, total: int | None = None, initial: int = 0, **__: Any):
            self.total, self.n = total, initial
            self.update(0)

        def update(self, n: int = 1) -> None:
            self.n += n
            progress(int(self.n), int(self.total or 0))

        def update_transfer(self, n: int = 1) -> None:
            """Ignore transferred bytes, which may differ from those of the file; with this method one bar suffices."""

        def set_postfix_str(self, *_: Any, **__: Any) -> None:
            pass

        set_transfer_postfix_str = refresh = close = set_postfix_str

        def __enter__(self):
            return self

        def __exit__(self, *_: Any) -> None:
            pass

    return Bar
