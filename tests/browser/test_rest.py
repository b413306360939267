"""Positions of elements in tests: those at rest, not momentary ones."""

from tests.browser.layout import box_at_rest, settled

GROWING = """<div id="above"></div><p>here</p><script>
  let grown = 0;
  const growing = setInterval(() => {
    above.style.height = `${grown += 20}px`;
    if (grown >= 600) clearInterval(growing);
  }, 30);
</script>"""
RUNNING = """<main data-testid="stApp" data-test-script-state="running"></main><script>
  setTimeout(() => { document.querySelector("main").dataset.testScriptState = "notRunning"; }, 400);
</script>"""


def test_an_element_is_measured_once_it_stays(new_page):
    page = new_page()
    page.set_content(GROWING)
    assert box_at_rest(page.locator("p"))["y"] >= 600


def test_a_run_of_the_app_is_waited_for(new_page):
    page = new_page()
    page.set_content(RUNNING)
    settled(page)
    assert page.locator("[data-test-script-state=notRunning]").count() == 1
