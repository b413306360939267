"""Hook points: record or change the activations of a forward pass.

All threads of a process share a model, so a model must not hold the state of one caller. The hooks of a forward pass
are kept in a `ContextVar` instead: each thread (and each asyncio task) has its own, and they are removed at the end of
the `with` block. Identity modules as hook points follow TransformerLens (hook_points.py).

Names and shapes of the activations (D is embed_dim; tokens are the prefix tokens, then the patches row by row):

| name                        | shape                     | activation                                            |
| --------------------------- | ------------------------- | ----------------------------------------------------- |
| `embed.patches`             | batch patch D             | patch embeddings, after the linear projection         |
| `embed.tokens`              | batch token D             | prefix tokens and patches, position embeddings added  |
| `blocks.{i}.resid_pre`      | batch token D             | residual stream before the block                      |
| `blocks.{i}.attn.q`, `.k`   | batch head token channel  | queries and keys, after norm and RoPE, before scaling |
| `blocks.{i}.attn.v`         | batch head token channel  | values                                                |
| `blocks.{i}.attn.scores`    | batch head query key      | attention scores: scaled products, before the softmax |
| `blocks.{i}.attn.weights`   | batch head query key      | attention weights, after the softmax; rows sum to 1   |
| `blocks.{i}.attn.z`         | batch head query channel  | weighted sums of the values, one per head             |
| `blocks.{i}.attn.out`       | batch token D             | output of attention, added to the residual stream     |
| `blocks.{i}.resid_mid`      | batch token D             | residual stream between attention and MLP             |
| `blocks.{i}.mlp.out`        | batch token D             | output of the MLP, added to the residual stream       |
| `blocks.{i}.resid_post`     | batch token D             | residual stream after the block                       |
| `norm`                      | batch token D             | tokens after the final norm                           |
| `logits`                    | batch class (or D)        | output of the model                                   |

The scores of differential attention have shape batch head 2 query key, one matrix for each softmax. Its weights are the
effective ones: they can be negative, and their rows sum to 1 - lambda.

Models with attention pooling also have `pool.k`, `pool.v`, `pool.scores`, `pool.weights`, `pool.z` and `pool.out`. They
are shaped as those of a block with a single, learned query; `pool.out` is batch D.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase

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
)  # of a block, from input to output


def residual_stream_names(depth: int) -> tuple[str, ...]:
    """Return the hook points of the residual stream: before the first of `depth` blocks, and after each block."""
    return "blocks.0.resid_pre", *(f"blocks.{layer}.resid_post" for layer in range(depth))


def block_input_names(depth: int, begin: int = 0) -> tuple[str, ...]:
    """Return the hook points of the input of each block, from block `begin` on."""
    return tuple(f"blocks.{layer}.resid_pre" for layer in range(begin, depth))


def sublayer_names(layer: int) -> tuple[str, ...]:
    """Return the hook points of a block from input to output, without queries and keys, which every trace has."""
    return tuple(f"blocks.{layer}.{part}" for part in SUBLAYER_HOOKS)


class HookPoint(nn.Module):
    """Identity module with a name. Without hooks it returns its input, at the cost of one lookup."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        """Apply the edits of this context to `x`, record the result in its captures, and return it."""
        for edits in _edits.get():
            x = edits.change(self.name, x)
        for recorder in _captures.get():
            recorder.record(self.name, x)
        return x

    def has_listeners(self) -> bool:
        """Return True if a capture or an edit of this context matches this hook point."""
        return any(listener.matches(self.name) for listener in (*_edits.get(), *_captures.get()))


@contextmanager
def capture(*names: str) -> Iterator[dict[str, Tensor]]:
    """Record activations at hook points, in this thread and inside this `with` block only.

    Activations are recorded after all edits, as they are (with their graph, if gradients are enabled).

    Args:
        *names: hook point names; `*` matches any characters, as in `"blocks.*.attn.q"`.

    Yields:
        A dict from hook point name to tensor, filled by the forward passes inside the block. A later pass overwrites an
        earlier one.

    Raises:
        HookError: at the end of the block, if a name matched no hook point that was reached.
        ArgumentError: if a name is not a string.
    """
    each_of_kind(names, str, "names")
    recorder = _Recorder(names)
    with _listening(_captures, recorder):
        yield recorder.recorded
    recorder.check()


@contextmanager
def edit(changes: Mapping[str, Change]) -> Iterator[None]:
    """Change activations at hook points, in this thread and inside this `with` block only.

    Args:
        changes: mapping from hook point name (`*` as in `capture`) to a function of the activation. The function must
            return a new tensor of the same shape, because a change in place would also change captured activations.
            Functions run in the order of the mapping.

    Raises:
        HookError: if a function changes the shape or does not return a tensor; at the end of the block, if a name
            matched no hook point that was reached.
    """
    of_kind(changes, Mapping[str, Change], "changes")
    each_of_kind(changes, str, "changes")
    each_of_kind(changes.values(), Change, "changes")
    edits = _Edits(changes)
    with _listening(_edits, edits):
        yield
    edits.check()


@contextmanager
def listen(functions: Mapping[str, Callable[[Tensor], object]]) -> Iterator[None]:
    """Call functions with activations during a forward pass, in this thread and inside this `with` block only.

    Unlike `capture`, it keeps no activation: a function can reduce one to a few numbers, layer by layer. Functions run
    after all edits and must not change the activation; what they return is ignored.

    Args:
        functions: mapping from hook point name (`*` as in `capture`) to a function of the activation.

    Raises:
        HookError: at the end of the block, if a name matched no hook point that was reached.
    """
    caller = _Caller(functions)
    with _listening(_captures, caller):
        yield
    caller.check()


@contextmanager
def without_hooks() -> Iterator[None]:
    """Disable the captures and edits of enclosing blocks for the forward passes inside this `with` block."""
    with _set_to(_captures, ()), _set_to(_edits, ()):
        yield


@contextmanager
def between_blocks(check: Callable[[], None]) -> Iterator[None]:
    """Call a function before each block of the forward passes in this thread and inside this `with` block.

    An exception that it raises stops the pass, so that a long pass can be stopped before its end. `without_hooks` does
    not disable the function.
    """
    with _set_to(_checks, (*_checks.get(), check)):
        yield


def before_block() -> None:
    """Call the functions of the enclosing `between_blocks`."""
    for check in _checks.get():
        check()


def is_edited() -> bool:
    """Return True inside an `edit` block."""
    return bool(_edits.get())


class _Listener:
    def __init__(self, patterns):
        self.unreached = dict.fromkeys(patterns)
        self.patterns = tuple(self.unreached)
        self._matching: dict[str, list[str]] = {}  # by name; a pass asks for each name several times

    def matching(self, name: str) -> list[str]:
        if name not in self._matching:
            self._matching[name] = [pattern for pattern in self.patterns if _matches(name, pattern)]
        return self._matching[name]

    def matches(self, name: str) -> bool:
        return bool(self.matching(name))

    def check(self) -> None:
        if self.unreached:
            raise HookError(
                f"No forward pass reached {', '.join(map(shown, list(self.unreached)[:5]))}; "
                "run the model inside the block and check the name against vitviz.model.hooks."
            )


class _Recorder(_Listener):
    def __init__(self, patterns):
        super().__init__(patterns)
        self.recorded: dict[str, Tensor] = {}

    def record(self, name: str, x: Tensor) -> None:
        matching = self.matching(name)
        if matching:
            self.recorded[name] = x
            for pattern in matching:
                self.unreached.pop(pattern, None)


class _Caller(_Listener):
    def __init__(self, functions: Mapping[str, Callable[[Tensor], object]]):
        super().__init__(functions)
        self.functions = dict(functions)

    def record(self, name: str, x: Tensor) -> None:
        for pattern in self.matching(name):
            self.functions[pattern](x)
            self.unreached.pop(pattern, None)


class _Edits(_Listener):
    def __init__(self, changes: Mapping[str, Change]):
        super().__init__(changes)
        self.changes = dict(changes)

    def change(self, name: str, x: Tensor) -> Tensor:
        for pattern in self.matching(name):
            changed = self.changes[pattern](x)
            if not isinstance(changed, Tensor):
                raise HookError(f"The edit of {name!r} returned a {type(changed).__name__}; it must return a tensor.")
            if changed.shape != x.shape:
                raise HookError(
                    f"The edit of {name!r} returned shape {tuple(changed.shape)}; it must keep {tuple(x.shape)}."
                )
            x = changed
            self.unreached.pop(pattern, None)
        return x


_WILD = frozenset("*?[")  # characters with a meaning in patterns

_captures: ContextVar[tuple[_Recorder | _Caller, ...]] = ContextVar("vitviz_captures", default=())
_edits: ContextVar[tuple[_Edits, ...]] = ContextVar("vitviz_edits", default=())
_checks: ContextVar[tuple[Callable[[], None], ...]] = ContextVar("vitviz_checks", default=())


def _listening(listeners: ContextVar, listener: _Listener) -> AbstractContextManager[None]:
    return _set_to(listeners, (*listeners.get(), listener))


@contextmanager
def _set_to(listeners: ContextVar, value: tuple[object, ...]) -> Iterator[None]:
    token = listeners.set(value)
    try:
        yield
    finally:
        listeners.reset(token)


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or (not _WILD.isdisjoint(pattern) and fnmatchcase(name, pattern))
