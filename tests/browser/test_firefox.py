"""The explorer in Firefox: checks that other files make in Chromium, of the file, the widget and the app."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from scripts.firefox import launched_firefox
from tests.browser.conftest import LAPTOP
from tests.browser.test_explore import (  # noqa: F401
    test_a_click_pins_and_the_panels_follow,
    test_a_second_click_lets_go,
    test_downloads_hold_what_is_shown,
    test_every_small_map_is_its_own_head_while_hovering,
    test_reload_of_the_link_restores_the_view,
    test_the_downloaded_explorer_opens_with_what_is_shown,
    test_the_drawn_colours_are_those_of_the_library,
    test_the_keyboard_alone_is_enough,
    test_the_legend_prints_real_numbers,
    test_the_other_direction_shows_the_column,
    test_the_overlay_can_be_taken_off_and_smoothed,
)
from tests.browser.test_region import (  # noqa: F401
    drawn,
    test_a_brush_adds_patches_and_erases_them,
    test_a_rectangle_ranks_the_heads_and_is_the_query,
    test_keys_draw_a_rectangle_and_clear_it,
)
from tests.browser.test_standalone import (  # noqa: F401
    opened,
    test_in_a_frame_of_a_notebook,
    test_it_shows_the_numbers_of_the_trace_without_a_network,
    test_layers_that_are_not_in_the_file_say_so,
)
from tests.browser.test_widget import (  # noqa: F401
    notebook,
    test_a_widget_that_is_removed_listens_no_longer,
    test_it_follows_the_theme_of_the_notebook_and_keeps_its_keys,
    test_it_shows_the_numbers_of_the_trace,
    test_pins_reach_python_and_its_changes_reach_the_page,
    test_two_on_one_page_do_not_disturb_each_other,
)
from tests.support.programs import program

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def browser(playwright) -> Iterator[Browser]:
    with launched_firefox(program("firefox-esr", "firefox-esr"), playwright) as browser:
        yield browser


@pytest.fixture(scope="module")
def page_options() -> dict:
    return {"viewport": LAPTOP, "color_scheme": "null"}  # Playwright's default, light, cannot be set in Firefox ESR
