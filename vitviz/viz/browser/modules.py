"""Linker for JavaScript modules. Streamlit requires the script of a component as one text.

A module may contain these forms, each at the beginning of a line:

    import { a, b } from "./x.js";    also from "../y/x.js"; the names may be spread over several lines
    export const a = ...;             one name
    export function a() { ... }       also `export async function`
    export class A { ... }
    export default ...                once, in the entry only

Every module except the entry becomes a function that runs once and returns its exports, so private names of different
modules cannot clash. Top-level `await` and exports that change later are not supported.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

# Comments and string literals, which are not searched for imports and exports.
_HIDDEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`", re.DOTALL)
_STATEMENT = re.compile(r"^[ \t]*(?:import|export)\b(?!\s*[(.])", re.MULTILINE)
_IMPORT = re.compile(r'import (\{(\s*[\w$]+(?:,\s*[\w$]+)*,?\s*)\}) from "(\.\.?/[^"\n]+)";')
_EXPORT = re.compile(r"export (?=(?:const|class|(?:async )?function) ([\w$]+))")
_DEFAULT = "export default "


class _Module(NamedTuple):
    variable: str
    exports: tuple[str, ...]
    text: str


def link(entry: Path) -> str:
    """Link a module and its imports into the text of one module.

    Args:
        entry: file of the entry module, which provides the default export.

    Raises:
        ValueError: if an imported file or name does not exist, imports are circular, a form is not supported, or the
            entry has no default export.
    """
    modules: dict[Path, _Module] = {}
    _add(entry.resolve(), (), modules)
    *imported, last = modules.values()
    if _DEFAULT not in last.text:
        raise ValueError(f"{entry.name} has no default export.")
    wrapped = [
        f"const {module.variable} = (() => {{\n{module.text}\nreturn {{ {', '.join(module.exports)} }};\n}})();"
        for module in imported
    ]
    return "\n".join([*wrapped, last.text])


def _add(path: Path, importing: tuple[Path, ...], modules: dict[Path, _Module]) -> _Module:
    """Add a module after its imports, unless it has been added already."""
    if path in importing:
        circle = [*importing[importing.index(path) :], path]
        raise ValueError(f"Circular import: {' -> '.join(one.name for one in circle)}.")
    if path in modules:
        return modules[path]
    if not path.is_file():
        by = f", imported by {importing[-1].name}," if importing else ""
        raise ValueError(f"The module {path}{by} does not exist.")
    source = path.read_text("utf-8")
    visible = _HIDDEN.sub(lambda hidden: re.sub(r"\S", "_", hidden[0]), source)
    parts, exports, end = [], [], 0
    for statement in _STATEMENT.finditer(visible):
        start = statement.start()
        if found := _IMPORT.match(source, start):
            names, target = found[2].replace(",", " ").split(), (path.parent / found[3]).resolve()
            module = _add(target, (*importing, path), modules)
            if missing := set(names) - set(module.exports):
                names = ", ".join(sorted(missing))
                raise ValueError(f"{target.name} does not export {names}, imported by {path.name}.")
            parts += source[end:start], f"const {found[1]} = {module.variable};"
            end = found.end()
        elif found := _EXPORT.match(source, start):
            exports.append(found[1])
            parts.append(source[end:start])
            end = found.end()
        elif importing or not source.startswith(_DEFAULT, start):
            line = source.count("\n", 0, start) + 1
            raise ValueError(f"{path.name}, line {line}: unsupported form of import or export.")
    modules[path] = _Module(f"${path.stem}{len(modules)}", tuple(exports), "".join([*parts, source[end:]]))
    return modules[path]
