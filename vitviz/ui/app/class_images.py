"""Images that users share with a class, in memory for a limited time, under names that cannot be guessed.

This is the only data of a user that other users can reach, and the only such data on a shared object. It is off unless
the operator of the server sets VITVIZ_CLASS_HOURS. Sessions and results do not hold the image itself: they look it up
by its name, so that it is gone everywhere once its time is over or the sharing was ended. Nothing is written to disk.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ...errors import ImageError
from ...notation import variables

_log = logging.getLogger(__name__)
MARK = "class-"  # start of the image in links, before the name
MOST_IMAGES = 20  # shared at a time on a server
MOST_BYTES = 100_000_000  # of all shared images together
MOST_OWNED = 3  # shared at a time by one user
GONE = "The image of this link is no longer shared, so a sample is shown instead."
FULL = "This server already shares as many images as it can keep in memory; try again when another class has ended."
TOO_MANY = f"You already share {MOST_OWNED} images; end the sharing of one of them first."


def _clocks() -> tuple[Callable[[], float], ...]:
    """Return clocks that together do not stand still while the computer sleeps; a share ends by the first of them.

    Some systems stop `time.monotonic` during sleep, and only Linux has a clock that neither stops nor can be set.
    """
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return (time.monotonic, time.time) if boot is None else (lambda: time.clock_gettime(boot),)


class NoLongerSharedError(ImageError):
    """Error for an image whose sharing has ended."""


@dataclass(frozen=True)
class Share:
    """Image shared with a class.

    Attributes:
        name: unguessable name in links, which begins with the duration, such as `"2h-..."`.
        digest: SHA-256 of the file.
        until: end of the sharing, on each clock of the store.
        owner: secret of the session that shares the image. Only its owner can end a share.
        title: name of the file, for the owner only.
        data: the file.
    """

    name: str
    digest: str
    until: tuple[float, ...]
    owner: str = field(repr=False)
    title: str = field(repr=False)
    data: bytes = field(repr=False)


class ClassImages:
    """Thread-safe store of shared images, bounded in number, bytes and time.

    Shares of several owners are independent, even if they have the same file: nobody can end the share of another.

    Args:
        *clocks: functions that return the time in seconds; a share ends when its time on one of them is over.
        most_images: maximum number of images.
        most_bytes: maximum bytes of all images together.
        most_owned: maximum number of images of one owner.
    """

    def __init__(
        self,
        *clocks: Callable[[], float],
        most_images: int = MOST_IMAGES,
        most_bytes: int = MOST_BYTES,
        most_owned: int = MOST_OWNED,
    ):
        self._clocks = clocks or _clocks()
        self._most_images, self._most_bytes, self._most_owned = most_images, most_bytes, most_owned
        self._shares: dict[str, Share] = {}
        self._parts: dict[str, set[str]] = {}  # digests of thumbnails, by name of the share
        self._ended: set[str] = set()
        self._lock = threading.Lock()

    def share(self, data: bytes, hours: float, owner: str, title: str = "") -> Share:
        """Share an image, or return the owner's share of it if there is one, whose end does not change.

        Raises:
            ImageError: if there is no room for the image.
        """
        digest = hashlib.sha256(data).hexdigest()
        with self._lock:
            self._drop_old()
            owned = self._owned(owner)
            for share in owned:
                if share.digest == digest:
                    return share
            if len(owned) >= self._most_owned:
                raise ImageError(TOO_MANY)
            used = sum(len(share.data) for share in self._shares.values())
            if len(self._shares) >= self._most_images or used + len(data) > self._most_bytes:
                raise ImageError(FULL)
            name = f"{short_duration(hours)}-{secrets.token_urlsafe(16)}"
            until = tuple(clock() + 3600 * hours for clock in self._clocks)
            self._shares[name] = Share(name, digest, until, owner, title, data)
            self._ended.discard(digest)
            _log.info("Sharing begun: %d bytes for %g h; %d shared.", len(data), hours, len(self._shares))
            return self._shares[name]

    def find(self, name: str) -> Share | None:
        """Return the share with this name; None if there is none, or its time is over."""
        with self._lock:
            self._drop_old()
            return self._shares.get(name)

    def owned(self, owner: str) -> tuple[Share, ...]:
        """Return the shares of an owner, oldest first."""
        with self._lock:
            self._drop_old()
            return self._owned(owner)

    def seconds_left(self, share: Share) -> float:
        """Return the seconds until a share ends, at least 0."""
        return max(0.0, min(end - clock() for end, clock in zip(share.until, self._clocks, strict=True)))

    def add_part(self, name: str, digest: str) -> None:
        """Note a thumbnail of a shared image, given by its digest, which ends with the share."""
        with self._lock:
            self._drop_old()
            if name in self._shares:
                self._parts.setdefault(name, set()).add(digest)
            else:  # made by a run that began before the end
                self._ended.add(digest)

    def end(self, name: str, owner: str) -> None:
        """End a share of an owner. Nothing happens if it has ended, or belongs to another owner."""
        with self._lock:
            if name in self._shares and self._shares[name].owner == owner:
                self._drop(name)

    def digests(self) -> frozenset[str]:
        """Return the digests of all shared images and of their thumbnails."""
        with self._lock:
            self._drop_old()
            return frozenset(share.digest for share in self._shares.values()).union(*self._parts.values())

    def take_ended(self) -> frozenset[str]:
        """Return the digests of the images, and of their thumbnails, whose sharing has ended since the last call."""
        with self._lock:
            self._drop_old()
            ended, self._ended = frozenset(self._ended), set()
            return ended

    def _drop_old(self) -> None:
        for name in [name for name, share in self._shares.items() if not self.seconds_left(share)]:
            self._drop(name)

    def _owned(self, owner: str) -> tuple[Share, ...]:
        return tuple(share for share in self._shares.values() if share.owner == owner)

    def _drop(self, name: str) -> None:
        share = self._shares.pop(name, None)
        if share is not None:
            self._ended |= {share.digest} | self._parts.pop(name, set())
            _log.info("Sharing ended: %d bytes; %d shared.", len(share.data), len(self._shares))


STORE = ClassImages()


@dataclass(frozen=True)
class ClassImage:
    """Choice of an image that somebody shares with the class, in place of a `Picked` image.

    Attributes:
        shared: name of the share.
        digest: SHA-256 of the file.
        name: name on screen and in files; the name of the user's file is not shared.
        sample: False, as for all images of users.
    """

    shared: str
    digest: str
    name: str = "class image"
    sample: bool = False

    @property
    def data(self) -> bytes:
        """The file.

        Raises:
            NoLongerSharedError: if it is no longer shared.
        """
        share = STORE.find(self.shared)
        if share is None:
            raise NoLongerSharedError("This image is no longer shared; choose another one.")
        return share.data

    @property
    def is_shared(self) -> bool:
        """True until the sharing ends."""
        return STORE.find(self.shared) is not None

    @property
    def mark(self) -> str:
        """The image in links."""
        return MARK + self.shared


def named(mark: str) -> ClassImage | None:
    """Return the image that a link names; None if it is not shared."""
    share = STORE.find(mark.removeprefix(MARK))
    return None if share is None else ClassImage(share.name, share.digest)


def hours() -> float:
    """Return for how many hours users may share an image; 0 if they may not.

    Raises:
        VitvizError: if VITVIZ_CLASS_HOURS is not a number from 0 to 168.
    """
    return variables.CLASS_HOURS.value()


def short_duration(hours: float) -> str:
    """Format a duration for links: `"2h"`, `"90min"`."""
    return f"{hours:.0f}h" if hours == round(hours) else f"{max(1, round(60 * hours))}min"


def format_duration(seconds: float) -> str:
    """Format a duration for texts: `"2 hours"`, `"1 hour 30 minutes"`, `"1 minute"`."""
    whole_hours, minutes = divmod(max(1, round(seconds / 60)), 60)
    counts = (whole_hours, "hour"), (minutes, "minute")
    return " ".join(f"{count} {unit}{'s' * (count > 1)}" for count, unit in counts if count)
