"""Who listens to a forward pass, and who changes it.

A model is shared by all threads of a process, so nothing about one caller may be kept on it. The listeners of a forward
pass live in a `ContextVar`: each thread (and each asyncio task) sees its own, and they are gone when the `with` block
ends, however it ends. The idea of identity modules at named places is TransformerLens' (hook_points.py).

Names, with the shape of what flows there (`token` counts prefix tokens first, then the patches row by row):

| name                        | shape                     | what                                                 |
| --------------------------- | ------------------------- | ---------------------------------------------------- |
| `embed.patches`             | batch patch width         | patches after the linear projection                  |
| `embed.tokens`              | batch token width         | prefix tokens and patches, positions added           |
| `blocks.{i}.resid_pre`      | batch token width         | what enters the block                                |
| `blocks.{i}.attn.q`, `.k`   | batch head token channel  | queries and keys as they enter the softmax, unscaled |
| `blocks.{i}.attn.v`         | batch head token channel  | values                                               |
| `blocks.{i}.attn.scores`    | batch head query key      | scaled products, before the softmax                  |
| `blocks.{i}.attn.weights`   | batch head query key      | after the softmax; rows sum to 1                     |
| `blocks.{i}.attn.z`         | batch head query channel  | weighted sums of the values, one per head            |
| `blocks.{i}.attn.out`       | batch token width         | what attention adds to the residual stream           |
| `blocks.{i}.resid_mid`      | batch token width         | between attention and MLP                            |
| `blocks.{i}.mlp.out`        | batch token width         | what the MLP adds to the residual stream             |
| `blocks.{i}.resid_post`     | batch token width         | what leaves the block                                |
| `norm`                      | batch token width         | after the final norm                                 |
| `logits`                    | batch class (or width)    | what the model returns                               |

The scores of differential attention have two halves, batch head 2 query key; its weights are the effective ones, which
may be negative and whose rows sum to 1 - lambda.

Models that pool by attention have `pool.k`, `pool.v`, `pool.scores`, `pool.weights`, `pool.z` and `pool.out` too,
shaped as a block's with a single query, the pooling's own; `pool.out` is batch width.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from functools import lru_cache

from torch import Tensor, nn

from ..errors import HookError
from ..errors.arguments import each_of_kind, of_kind, shown

Change = Callable[[Tensor], Tensor]
SUBLAYER_HOOKS = (
    "resid_pre",
    "attn.v",
    "attn.z",
    "attn.out",
    "resid_mid",
    "mlp.out",
    "resid_post",
)  # of a block, in order


def residual_stream_names(depth: int) -> tuple[str, ...]:
    """Hook points of the residual stream, from the bottom: before the first of `depth` blocks, and after each."""
    return "blocks.0.resid_pre", *(f"blocks.{layer}.resid_post" for layer in range(depth))


def entering_names(depth: int, begin: int = 0) -> tuple[str, ...]:
    """Hook points of what enters each block from `begin` on."""
    return tuple(f"blocks.{layer}.resid_pre" for layer in range(begin, depth))


def sublayer_names(layer: int) -> tuple[str, ...]:
    """Hook points of a block that lead from its input to its output; queries and keys are in every trace."""
    return tuple(f"blocks.{layer}.{part}" for part in SUBLAYER_HOOKS)


class HookPoint(nn.Module):
    """An identity module with a name. Without a listener it hands its input on, and costs a lookup."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        """Hand `x` to the edits and then to the captures of this context; return what the edits made of it."""
        for edits in _edits.get():
            x = edits.change(self.name, x)
        for recorder in _captures.get():
            recorder.keep(self.name, x)
        return x

    def has_listeners(self) -> bool:
        """Whether anybody in this context listens to, or edits, this point."""
        return any(listener.wants(self.name) for listener in (*_edits.get(), *_captures.get()))


@contextmanager
def capture(*names: str) -> Iterator[dict[str, Tensor]]:
    """Record what flows through hook points, in this thread and inside this `with` block only.

    Captures see the values after all edits. Tensors are recorded as they are (with their graph, if gradients are on).

    Args:
        *names: hook point names; `*` matches any run of characters, as in `"blocks.*.attn.q"`.

    Yields:
        A dict from hook point name to tensor, filled by the forward passes that run inside the block. A later pass
        overwrites an earlier one.

    Raises:
        HookError: on leaving the block, if one of the names was never reached. Silence is not a recording.
        ArgumentError: if a name is none.
    """
    each_of_kind(names, str, "names")
    recorder = _Recorder(names)
    with _listening(_captures, recorder):
        yield recorder.kept
    recorder.check()


@contextmanager
def edit(changes: Mapping[str, Change]) -> Iterator[None]:
    """Change what flows through hook points, in this thread and inside this `with` block only.

    Args:
        changes: from hook point name (`*` as in `capture`) to a function of the tensor that flows there, which returns
            a tensor of the same shape, a new one: changing it in place would change what others have captured.
            Functions run in the order of the mapping.

    Raises:
        HookError: if a function changes the shape or returns no tensor; on leaving the block, if a name was never
            reached.
    """
    of_kind(changes, Mapping[str, Change], "changes")
    each_of_kind(changes, str, "changes")
    each_of_kind(changes.values(), Change, "changes")
    edits = _Edits(changes)
    with _listening(_edits, edits):
        yield
    edits.check()


@contextmanager
def without_hooks() -> Iterator[None]:
    """Let forward passes inside this `with` block run without the captures and edits of the blocks around it."""
    with _set_to(_captures, ()), _set_to(_edits, ()):
        yield


def is_edited() -> bool:
    """Whether an `edit` is in force here."""
    return bool(_edits.get())


class _Listener:
    def __init__(self, patterns):
        self.unheard = dict.fromkeys(patterns)
        self.patterns = tuple(self.unheard)

    def matching(self, name: str) -> list[str]:
        return [pattern for pattern in self.patterns if _matches(name, pattern)]

    def wants(self, name: str) -> bool:
        return any(_matches(name, pattern) for pattern in self.patterns)

    def check(self) -> None:
        if self.unheard:
            raise HookError(
                f"No forward pass reached {', '.join(map(shown, list(self.unheard)[:5]))}; "
                "run the model inside the block and check the name against vitviz.model.hooks."
            )


class _Recorder(_Listener):
    def __init__(self, patterns):
        super().__init__(patterns)
        self.kept: dict[str, Tensor] = {}

    def keep(self, name: str, x: Tensor) -> None:
        matching = self.matching(name)
        if matching:
            self.kept[name] = x
            for pattern in matching:
                self.unheard.pop(pattern, None)


class _Edits(_Listener):
    def __init__(self, changes: Mapping[str, Change]):
        super().__init__(changes)
        self.changes = dict(changes)

    def change(self, name: str, x: Tensor) -> Tensor:
        for pattern in self.matching(name):
            changed = self.changes[pattern](x)
            if not isinstance(changed, Tensor):
                raise HookError(f"The edit of {name!r} returned a {type(changed).__name__}; it has to return a tensor.")
            if changed.shape != x.shape:
                raise HookError(
                    f"The edit of {name!r} returned shape {tuple(changed.shape)}; it has to keep {tuple(x.shape)}."
                )
            x = changed
            self.unheard.pop(pattern, None)
        return x


_captures: ContextVar[tuple[_Recorder, ...]] = ContextVar("vitviz_captures", default=())
_edits: ContextVar[tuple[_Edits, ...]] = ContextVar("vitviz_edits", default=())


def _listening(listeners: ContextVar, listener: _Listener) -> AbstractContextManager[None]:
    return _set_to(listeners, (*listeners.get(), listener))


@contextmanager
def _set_to(listeners: ContextVar, value: tuple[_Listener, ...]) -> Iterator[None]:
    token = listeners.set(value)
    try:
        yield
    finally:
        listeners.reset(token)


@lru_cache(maxsize=4096)
def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern)
