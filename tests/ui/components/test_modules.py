"""Scripts of components: modules that import each other, linked into one."""

import importlib
import pkgutil
import re

import pytest

from tests.support.node_runner import run
from vitviz.notation.marks import percent
from vitviz.ui import components
from vitviz.ui.app import tour
from vitviz.ui.components._shared import Component
from vitviz.viz.browser.modules import link

NAMES = [entry.name for entry in pkgutil.iter_modules(components.__path__) if not entry.name.startswith("_")]
COMPONENTS = [tour.component, *(importlib.import_module(f"{components.__name__}.{name}").component for name in NAMES)]


# --- Linking ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def written(tmp_path):
    """Writes modules by name, and gives back the path of the first."""

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.js").write_text(text)
        return tmp_path / f"{next(iter(texts))}.js"

    return write


def result_of(script):
    """Return value of the default export of a module."""
    return run(
        "const url = `data:text/javascript,${encodeURIComponent(given)}`; answer((await import(url)).default());",
        script,
    )


def test_private_names_of_modules_do_not_clash(written):
    entry = written(
        entry='import { one } from "./one.js";\nimport { two } from "./two.js";\nconst hidden = 4;\n'
        "export default () => [one(), two, hidden];\n",
        one='import { two } from "./two.js";\nconst hidden = 1;\nexport function one() { return hidden + two; }\n',
        two="const hidden = 2;\nexport const two = 10 * hidden;\n",
    )
    assert result_of(link(entry)) == [21, 20, 4]


def test_a_module_runs_once(written):
    entry = written(
        entry='import { add } from "./one.js";\nimport { two } from "./two.js";\nexport default () => [two, add()];\n',
        one='import { count } from "./count.js";\nexport const add = () => [count(), count()];\n',
        two='import { count } from "./count.js";\nexport const two = count();\n',
        count="let counted = 0;\nexport const count = () => ++counted;\n",
    )
    assert result_of(link(entry)) == [1, [2, 3]]


def test_all_forms_are_linked(written, tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "forms.js").write_text(
        "export const A = 1;\nexport class B { b() { return 2; } }\n"
        "export async function c() {}\nexport function d$() { return 4; }\n"
    )
    entry = written(
        entry='import {\n  A,\n  B, c,\n  d$,\n} from "./below/forms.js";\nimport { other } from "./other.js";\n'
        "export default function () { return [A, new B().b(), typeof c().then, d$(), other]; }\n",
        other='import { A } from "./below/forms.js";\nexport const other = A + 4;\n',
    )
    assert result_of(link(entry)) == [1, 2, "function", 4, 5]


def test_comments_and_texts_are_no_imports(written):
    entry = written(
        entry='// import { a } from "./nothing.js";\n/*\nimport { a } from "./nothing.js";\nexport const b = 1;\n*/\n'
        'const text = `\nimport { a } from "./nothing.js";\nexport const c = 1;\n`;\n'
        'const quoted = "// it\'s";\nexport default () => [text.split("\\n").length, quoted];\n'
    )
    assert result_of(link(entry)) == [4, "// it's"]


A = "export const a = 1;\n"
DEFAULT = "export default () => 1;\n"


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        ({"entry": 'import { a } from "./gone.js";\n' + DEFAULT}, ["gone.js", "entry.js"]),
        ({"entry": 'import { a, b } from "./one.js";\n' + DEFAULT, "one": A}, ["one.js", "b", "entry.js"]),
        (
            {
                "entry": 'import { a } from "./one.js";\n' + DEFAULT,
                "one": 'import { b } from "./two.js";\nexport const a = 1;\n',
                "two": 'import { a } from "./one.js";\nexport const b = 1;\n',
            },
            ["one.js -> two.js -> one.js"],
        ),
        ({"entry": A}, ["entry.js"]),
        ({"entry": 'import { a } from "./one.js";\n' + DEFAULT, "one": DEFAULT}, ["one.js", "line 1"]),
        *(
            ({"entry": "// a comment\n" + form + "\n" + DEFAULT, "one": A}, ["entry.js", "line 2"])
            for form in (
                'import a from "./one.js";',
                'import * as a from "./one.js";',
                'import { a as b } from "./one.js";',
                'import "./one.js";',
                'import { a } from "one";',
                '  import { a } from "./one.js";',
                "export { a };",
                "export let a = 1;",
                "export const { a } = {};",
            )
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_linked_is_refused_with_its_place(written, texts, named):
    with pytest.raises(ValueError, match=".*".join(map(re.escape, named))):
        link(written(**texts))


# --- Components ------------------------------------------------------------------------------------------------------


def test_every_component_can_be_imported():
    scripts = [component.script for component in COMPONENTS]
    script = """
        const loaded = given.map((text) => import(`data:text/javascript,${encodeURIComponent(text)}`));
        answer((await Promise.all(loaded)).map((one) => typeof one.default));
    """
    assert run(script, scripts) == ["function"] * len(scripts)


def test_a_component_is_its_own_files_and_those_of_its_base(tmp_path):
    for name, text in {
        "one.js": DEFAULT,
        "one.html": "<p></p>",
        "one.css": "p {}",
        "two.js": DEFAULT,
        "two.css": "b {}",
    }.items():
        (tmp_path / name).write_text(text)
    one = Component("one", tmp_path, isolated=False)
    two = Component("two", tmp_path, base=one, css="i {}")
    assert (one.html, one.css, one.script) == ("<p></p>", "p {}", DEFAULT)
    assert (two.html, two.css, two.script) == ("<p></p>", "p {}b {}i {}", DEFAULT)
    assert Component("one", tmp_path).css.endswith("}\np {}"), "after the colours of the theme"
    with pytest.raises(ValueError, match="three"):
        Component("three", tmp_path)


def test_words_are_set_as_text_only():
    for component in COMPONENTS:
        assert "innerHTML" not in component.script


def test_percentages_are_written_as_the_library_writes_them():
    shares = [0.1419, -0.1419, -0.0381, 0.00021, -0.000021, -1e-9, 1e-9, 0, -1, 0.0999]
    script = 'import { percent } from "../../viz/explorer/labels.js"; answer(given.map(percent));'
    assert run(script, shares) == [percent(share) for share in shares]
