// Fixes of Streamlit's own elements: labels for the sidebar buttons, closing of the sidebar after a choice where it covers
// the page, keyboard access to scrollable elements, and a run of the page after a lost connection is restored.

import { Listening } from "../../../viz/browser/listening.js";

const OPEN = "[data-testid=stExpandSidebarButton]";
const CLOSE = "[data-testid=stSidebarCollapseButton] button";
const NARROW = "(max-width: 767.98px)"; // as in streamlit_fixes.css
const SIDEBAR = "[data-testid=stSidebar]";
const SCROLLERS = ".katex-display, .vv-scroll, .vv-filters, .vv-letters dl, .vv-outcome ol, [data-testid=stMarkdownContainer] pre";
const FOCUSABLE = "a[href], button, input, select, textarea, [tabindex]";
// Choices after which the sidebar closes: another page, another image, the tour. Settings are often changed together.
const CHOICES = "a[href], [data-testid=gallery] [data-name], .st-key-sidebar_tour button";
const CHANGES = "input[type=file], .stApp:has(.st-key-reach_on_explore) [class*=st-key-draw_with] input";

const CONNECTION = "data-test-connection-state"; // of the app

export default function ({ setTriggerValue }) {
  const narrow = matchMedia(NARROW);
  const listening = new Listening();
  const sized = new ResizeObserver(() => later());
  const later = delayed(() => mend(narrow.matches, sized), 150);
  const seen = new MutationObserver(later);
  seen.observe(document.body, { childList: true, subtree: true });
  listening.on(narrow, "change", later);
  listening.on(document, "click", (event) => {
    if (narrow.matches && chosenIn(event, CHOICES)) closeSoon();
  });
  listening.on(document, "change", (event) => {
    if (narrow.matches && chosenIn(event, CHANGES) && (event.target.files?.length || event.target.checked)) closeSoon();
  });
  const app = document.querySelector("[data-testid=stApp]");
  let state = app?.getAttribute(CONNECTION);
  const connected = new MutationObserver(() => {
    const before = state;
    state = app.getAttribute(CONNECTION);
    if (before === "CONNECTED" && state !== before) globalThis.vitvizLost = Date.now(); // read by mounted.js
    if (state === "CONNECTED" && before !== state) setTriggerValue("connected", true);
  });
  if (app) connected.observe(app, { attributeFilter: [CONNECTION] });
  mend(narrow.matches, sized);
  return () => {
    connected.disconnect();
    seen.disconnect();
    sized.disconnect();
    later.cancel();
    listening.end();
  };
}

// Shadow roots hide their elements from selectors, but not from the path of an event.
function chosenIn(event, selector) {
  const path = event.composedPath().filter((node) => node instanceof Element);
  return path.some((node) => node.matches(SIDEBAR)) && path.some((node) => node.matches(selector));
}

// after Streamlit has handled the click: in some browsers, it closes the sidebar itself
function closeSoon() {
  setTimeout(() => document.querySelector(`${CLOSE}[aria-expanded=true]`)?.click(), 0);
}

function mend(narrow, sized) {
  setLabel(OPEN, narrow ? "Menu" : "Image and model");
  setLabel(CLOSE, narrow ? "Close" : "Hide");
  for (const node of document.querySelectorAll(SCROLLERS)) {
    for (const one of [node, node.firstElementChild]) if (one) sized.observe(one);
    const down = node.scrollHeight > node.clientHeight && getComputedStyle(node).overflowY !== "hidden";
    const scrolls = node.scrollWidth > node.clientWidth || down;
    if (scrolls && !node.querySelector(FOCUSABLE)) {
      node.tabIndex = 0;
      node.dataset.reach = "";
    } else if (!scrolls && node.dataset.reach !== undefined) {
      node.removeAttribute("tabindex");
      delete node.dataset.reach;
    }
  }
}

function setLabel(selector, label) {
  for (const button of document.querySelectorAll(selector)) {
    if (button.dataset.label === label && button.ariaLabel === label) continue;
    button.dataset.label = label;
    button.ariaLabel = label;
  }
}

function delayed(act, milliseconds) {
  let timer;
  const schedule = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      act();
    }, milliseconds);
  };
  schedule.cancel = () => clearTimeout(timer);
  return schedule;
}
