"""Registration of a method: the library, the page, links and the command line offer it."""

import json

import numpy as np
import pytest
import torch

import vitviz
from tests.support.app_pages import opened, query, settings
from tests.support.command_line import FOUR, objects
from tests.support.facts import mentions
from vitviz.analysis.attribution import METHODS, Method, Parameter, register
from vitviz.analysis.attribution.method import unregister


def centre(trace, target, *, power: int = 1) -> torch.Tensor:
    """Closeness to the centre of the image, times the target."""
    rows, columns = (torch.linspace(-1, 1, side) for side in trace.grid)
    return (2 - rows[:, None].abs() - columns[None].abs()) ** power


class Centre(Method):
    name, title, unit = "centre", "Distance to the centre", "closeness"
    paper, url = "Nobody 2026, section 7", "https://example.org/centre"
    explain = staticmethod(centre)
    parameters = (Parameter("power", "Power", 1, lambda *_: (1, 2, 3), lambda power: f"power {power}"),)

    def summary(self, config):
        return f"How close each patch is to the centre of {config.image_size[0]} pixels."


@pytest.fixture(autouse=True)
def seventh():
    register(Centre())
    yield
    unregister("centre")


def test_the_library_has_it(small, photo):
    found = vitviz.explain(small, photo, method="centre", power=2)
    assert (found.method, found.parameters, found.signed) == ("centre", {"power": 2}, False)
    assert np.array_equal(found.map, centre(small.trace(photo), None, power=2).numpy())
    with pytest.raises(vitviz.VitvizError, match=mentions("centre", "'strength'", "power")):
        vitviz.explain(small, photo, method="centre", strength=1)


def test_its_name_is_its_own():
    with pytest.raises(vitviz.VitvizError, match="'centre'"):
        register(Centre())


def test_the_page_shows_its_map_and_what_it_is_about():
    app = opened("explain", model="digits", image="digit-4")
    assert not app.exception
    said = "".join(element.proto.body for element in app.get("html"))
    assert 'data-method="centre"' in said
    assert all(f'data-method="{name}"' in said for name, method in METHODS.items() if not method.slow)
    assert "https://example.org/centre" in "".join(element.value for element in app.markdown)


def test_a_link_has_its_parameter():
    app = opened("explain", model="digits", image="digit-4", methods="centre.power.3")
    assert not app.warning
    assert settings(app)["explain_parameters"]["centre"] == {"power": 3}
    assert query(app)["methods"] == "centre.power.3"


def test_the_command_line_has_it(vit, written):
    result = vit("explain", FOUR, "-m", "digits", "--method", "centre", "--parameter", "power=2", "--json")
    assert result.exit_code == 0, result.stderr
    (said,) = objects(result)
    assert (said["method"], said["parameters"]) == ("centre", {"power": 2})
    assert json.dumps(said)
