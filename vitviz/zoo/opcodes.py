"""Run the opcodes of a pickle on placeholders, and refuse pickles that build more than a checkpoint needs.

`torch.load(weights_only=True)` runs no code that the file chooses, but it builds any object that it describes: lists
nested without end, dictionaries that contain themselves, keys whose hash takes years to compute. Therefore the opcodes
that its unpickler supports (torch/_weights_only_unpickler.py) are run here first, on placeholders instead of values.
The scan ends at any other opcode, because torch stops there too and reports the reason.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from struct import unpack_from
from typing import Any

MAX_BYTES = 32_000_000  # bytes of a pickle; the data of its tensors is stored elsewhere
MAX_OPCODES = 1_000_000  # a checkpoint has about 40 per tensor
MAX_OBJECTS = 300_000  # containers and strings
MAX_STACK = 100_000  # values on the stack; `pickle` writes the items of a list in batches of a thousand
MAX_DEPTH = 100  # levels of nested containers
MAX_COPIED = 32_000_000  # characters and items read by calls such as `set(list)`
MAX_ODD_KEYS = 1_000  # keys of dictionaries and sets that may have the same hash: n of them cost O(n^2)
MAX_NAME = 1_000  # characters of the name of a function or class
MAX_KEY = 1_000  # items of a tuple used as a key, including nested tuples
_TOO_DEEP = f"nests its content more than {MAX_DEPTH} deep"
_ENCODINGS = (
    b"latin1",
    b"latin-1",
    b"utf-8",
    b"ascii",
)  # encodings of bytes in pickles; some others take quadratic time
_HASHING = ("set", "frozenset", "Counter", "OrderedDict", "dict")
_ALLOCATING = ("bytearray", "Tensor", "Storage")  # allocate as many items as a number argument says


class TooMuchError(Exception):
    """Error for a file that exceeds a limit; the message continues a sentence that begins with the file name."""


class EndedError(Exception):
    """Error at an opcode at which PyTorch stops reading too."""


class _Value:
    """Placeholder for any value except integers of at most 32 bits."""

    __slots__ = ("depth", "holds", "odd", "size", "what")

    def __init__(self, what: str, size: int = 1, depth: int = 0):
        # "text", "plain" (None, True, False), "odd" (a long integer or a float), "tuple", "list" (also a dictionary or
        # a set), "made" (result of a call), or the dotted name of a global.
        self.what = what
        self.size = size  # number of characters or items; for a tuple including nested tuples, up to a bound
        self.depth = depth  # lower bound of the nesting depth; exact for tuples of tuples
        self.odd = 0  # number of items that would be odd keys
        self.holds: list[Any] | tuple = ()  # all items of a tuple; only the containers in other objects


class Scan:
    """Interpreter that runs pickles on placeholders. The limits apply to all pickles of a file together.

    Args:
        file_size: size of the file in bytes.
    """

    def __init__(self, file_size: int) -> None:
        self.file_size = file_size
        self.opcodes = self.objects = self.copied = self.odd_keys = 0

    def read(self, data: bytes | mmap.mmap, at: int) -> int:
        """Run the pickle that begins at the offset `at`; return the offset of its end."""
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        end = min(len(data), at + MAX_BYTES)
        while True:
            if at >= end:
                raise TooMuchError("has a pickle that does not end") if end < len(data) else EndedError
            code = data[at]
            at += 1
            self.opcodes += 1
            if self.opcodes > MAX_OPCODES:
                raise TooMuchError(f"has a pickle of more than {MAX_OPCODES:,} steps")
            stack = self.stack
            if len(stack) > MAX_STACK:
                raise TooMuchError(f"puts more than {MAX_STACK:,} values on the stack")
            handler = _HANDLERS.get(code)
            if handler is not None:
                handler(self, stack)
            elif code in _MEMO_READS:
                stack.append(self.memo[unpack_from(_MEMO_READS[code], data, at)[0]])
                at += 1 if code == 0x68 else 4
            elif code in _MEMO_WRITES:
                self._remember(unpack_from(_MEMO_WRITES[code], data, at)[0])
                at += 1 if code == 0x71 else 4
            elif code in _INTEGERS:
                layout, width = _INTEGERS[code]
                stack.append(unpack_from(layout, data, at)[0])
                at += width
            elif code == 0x47:  # BINFLOAT
                stack.append(_ODD)
                at += 8
            elif code == 0x58:  # BINUNICODE
                at = self._text(data, at + 4, unpack_from("<I", data, at)[0])
            elif code == 0x55:  # SHORT_BINSTRING
                at = self._text(data, at + 1, data[at])
            elif code == 0x8A:  # LONG1
                stack.append(_ODD)
                at += 1 + data[at]
            elif code == 0x63:  # GLOBAL: two lines
                module, name, *_ = *bytes(data[at : at + MAX_NAME]).split(b"\n", 2), b"", b""
                at += len(module) + len(name) + 2
                if at > end or len(module) + len(name) + 2 > MAX_NAME:
                    raise TooMuchError(f"has a name of more than {MAX_NAME:,} characters")
                self._count()
                stack.append(_Value(f"{module.decode()}.{name.decode()}"))
            elif code == 0x80:  # PROTO
                at += 1
            elif code == 0x2E:  # STOP
                _check_whole(stack.pop())
                return at
            else:
                raise EndedError

    def _count(self) -> None:
        self.objects += 1
        if self.objects > MAX_OBJECTS:
            raise TooMuchError(f"describes more than {MAX_OBJECTS:,} objects")

    def _remember(self, index: int) -> None:
        self.memo[index] = self.stack[-1]
        if len(self.memo) > MAX_OBJECTS:
            raise TooMuchError(f"describes more than {MAX_OBJECTS:,} objects")

    def _text(self, data: bytes | mmap.mmap, at: int, size: int) -> int:
        self._count()
        if at + size > len(data):  # torch would allocate memory for all of it
            raise TooMuchError("has a pickle that does not end") if len(data) > MAX_BYTES else EOFError
        text = _Value("text", size)
        if size <= max(map(len, _ENCODINGS)):
            text.holds = (bytes(data[at : at + size]),)
        self.stack.append(text)
        return at + size

    def _new(self, stack: list[Any]) -> None:
        self._count()
        stack.append(_Value("list", 0, 1))

    def _mark(self, stack: list[Any]) -> None:
        if len(self.marked) >= MAX_DEPTH:
            raise TooMuchError(_TOO_DEEP)
        self.marked.append(stack)
        self.stack = []

    def _since_mark(self, stack: list[Any]) -> list[Any]:
        self.stack = self.marked.pop()
        return stack

    def _pack(self, items: list[Any]) -> None:
        self._count()
        packed = _Value("tuple", min(10**9, 1 + sum(_size(item) for item in items)), 1)
        packed.holds = tuple(items)
        self._deepen(packed, items)
        self.stack.append(packed)

    def _pack_last(self, stack: list[Any], count: int) -> None:
        items = stack[-count:]
        if len(items) < count:
            raise EndedError
        del stack[-count:]
        self._pack(items)

    def _put(self, into: Any, items: list[Any]) -> None:
        """Put items into a list or another container."""
        if not isinstance(into, _Value) or into.what not in ("list", "made"):
            raise EndedError  # torch cannot add items to a string, tuple or number
        into.size += len(items)
        self._deepen(into, items)
        held = [item for item in items if isinstance(item, _Value) and item.depth]
        if held:
            into.holds = into.holds or []
            into.holds += held

    def _put_pairs(self, into: Any, items: list[Any]) -> None:
        """Put keys and values into a dictionary."""
        if len(items) % 2:
            raise EndedError
        for key in items[::2]:
            self._hash(key)
        self._put(into, items)

    def _call(self, stack: list[Any]) -> None:
        given, function = stack.pop(), stack.pop()
        self._count()
        arguments = list(given.holds) if isinstance(given, _Value) and given.what == "tuple" else [given]
        self._check_call(function, arguments)
        result = _Value("made", sum(_size(one) for one in arguments), 1)  # it may contain all of its arguments
        result.holds = [given]
        self._deepen(result, [given])
        stack.append(result)

    def _build(self, stack: list[Any]) -> None:
        state = stack.pop()
        self._copy([state])
        self._put(stack[-1], [state])

    def _load_persistent(self, stack: list[Any]) -> None:
        name = stack.pop()
        self._count()
        # Its number of values, for which torch allocates memory before it reads them; `_ODD` is 2**31 at least.
        values = [2**31 if one is _ODD else one for one in (name.holds if isinstance(name, _Value) else ())]
        if any(isinstance(one, int) and one > self.file_size for one in values):
            raise TooMuchError("has a tensor of more values than the file has bytes")
        storage = _Value("made", 1, 1)
        storage.holds = [name]
        stack.append(storage)

    def _check_call(self, function: Any, arguments: list[Any]) -> None:
        name = function.what if isinstance(function, _Value) else ""
        if name.endswith("_rebuild_from_type_v2") and len(arguments) > 2:  # it calls its first argument with its third
            inner = arguments[2].holds if isinstance(arguments[2], _Value) else ()
            self._check_call(arguments[0], [item for item in inner if not isinstance(item, bytes)])
        self._copy(arguments)
        last = name.rpartition(".")[2]
        if last.endswith(_ALLOCATING) and any(isinstance(one, int) or one is _ODD for one in arguments):
            raise TooMuchError(f"allocates memory ({last}) without content")
        if last == "encode":
            encoding = arguments[1].holds[:1] if len(arguments) > 1 and isinstance(arguments[1], _Value) else ()
            if not set(encoding) <= set(_ENCODINGS) or not encoding:
                raise TooMuchError("encodes text in an unusual way")
        if last in _HASHING:
            for one in arguments:
                self._hash_items(one)

    def _hash_items(self, value: Any, depth: int = 2) -> None:
        """Check the items, and their items, that `set(list)` or `OrderedDict(pairs)` would use as keys."""
        if isinstance(value, _Value):
            self.odd_keys += value.odd
            self._check_keys()
            for item in value.holds if depth else ():
                if isinstance(item, _Value) and item.what == "tuple":
                    self._hash(item)
                self._hash_items(item, depth - 1)

    def _copy(self, values: list[Any]) -> None:
        self.copied += sum(_size(value) for value in values)
        if self.copied > MAX_COPIED:
            raise TooMuchError("copies its content too often")

    def _hash(self, key: Any) -> None:
        if not _is_odd(key):
            return
        self.odd_keys += 1
        self._check_keys()
        if key.what == "tuple" and key.size > MAX_KEY:
            raise TooMuchError(f"has a key of more than {MAX_KEY:,} items")

    def _check_keys(self) -> None:
        if self.odd_keys > MAX_ODD_KEYS:
            raise TooMuchError(f"has more than {MAX_ODD_KEYS:,} keys that are neither text nor small numbers")

    def _deepen(self, value: _Value, items: list[Any]) -> None:
        for item in items:
            if isinstance(item, _Value):
                value.depth = max(value.depth, item.depth + 1)
                value.odd += _is_odd(item)
        if value.depth > MAX_DEPTH:
            raise TooMuchError(_TOO_DEEP)


_PLAIN = _Value("plain")  # None, True and False
_ODD = _Value("odd")


def _size(value: Any) -> int:
    return value.size if isinstance(value, _Value) else 1


def _is_odd(value: Any) -> bool:
    return isinstance(value, _Value) and value.what in ("odd", "tuple", "made")


def _check_whole(root: Any) -> None:
    """Refuse a value that contains itself or is nested too deeply; both are known only when the value is complete."""
    depths: dict[int, int] = {}  # depth of each visited value; 0 for those that contain the current value
    pending, inside = [root], 0
    while pending:
        value = pending[-1]
        if depths.get(id(value)):  # contained in several values
            pending.pop()
            continue
        held = [item for item in value.holds if isinstance(item, _Value)] if isinstance(value, _Value) else []
        if id(value) in depths:
            depths[id(value)] = 1 + max((depths[id(item)] for item in held), default=0)
            inside -= 1
            continue
        depths[id(value)] = 0
        inside += 1
        if any(depths.get(id(item)) == 0 for item in held):
            raise TooMuchError("contains itself")
        if inside > MAX_DEPTH + 1:
            raise TooMuchError(_TOO_DEEP)
        pending += [item for item in held if id(item) not in depths]


def _append(scan: Scan, stack: list[Any]) -> None:
    item = stack.pop()
    scan._put(stack[-1], [item])


def _append_all(scan: Scan, stack: list[Any]) -> None:
    items = scan._since_mark(stack)
    scan._put(scan.stack[-1], items)


def _set(scan: Scan, stack: list[Any]) -> None:
    item, key = stack.pop(), stack.pop()
    scan._put_pairs(stack[-1], [key, item])


def _set_all(scan: Scan, stack: list[Any]) -> None:
    items = scan._since_mark(stack)
    scan._put_pairs(scan.stack[-1], items)


_HANDLERS: dict[int, Callable[[Scan, list[Any]], None]] = {
    0x81: Scan._call,  # NEWOBJ
    0x52: Scan._call,  # REDUCE
    0x62: Scan._build,
    0x61: _append,
    0x65: _append_all,
    0x73: _set,
    0x75: _set_all,
    0x28: Scan._mark,
    0x74: lambda scan, stack: scan._pack(scan._since_mark(stack)),  # TUPLE
    0x85: lambda scan, stack: scan._pack_last(stack, 1),
    0x86: lambda scan, stack: scan._pack_last(stack, 2),
    0x87: lambda scan, stack: scan._pack_last(stack, 3),
    0x29: lambda scan, stack: scan._pack([]),  # EMPTY_TUPLE
    0x4E: lambda scan, stack: stack.append(_PLAIN),  # NONE
    0x88: lambda scan, stack: stack.append(_PLAIN),  # NEWTRUE
    0x89: lambda scan, stack: stack.append(_PLAIN),  # NEWFALSE
    0x5D: Scan._new,  # EMPTY_LIST
    0x7D: Scan._new,  # EMPTY_DICT
    0x8F: Scan._new,  # EMPTY_SET
    0x51: Scan._load_persistent,
}
_MEMO_READS = {0x68: "<B", 0x6A: "<I"}
_MEMO_WRITES = {0x71: "<B", 0x72: "<I"}
_INTEGERS = {0x4A: ("<i", 4), 0x4B: ("<B", 1), 0x4D: ("<H", 2)}
