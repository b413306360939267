// What the address says of a page belongs to that page's one entry in the browser's history. Streamlit adds an entry for
// each change; then whoever has looked at five heads would press Back five times, and see nothing happen. And a page that
// was left by Back may still say where it is, which would put it into the history once more, in place of what follows.
{
  const add = history.pushState;
  let travelled = false; // by Back or Forward, and nothing was done on the page since
  addEventListener("popstate", () => { travelled = true; }, true);
  const acted = (event) => {
    if (!(event.button > 2 || event.altKey || event.metaKey)) travelled = false; // else this is Back or Forward itself
  };
  for (const kind of ["pointerdown", "click", "keydown", "change", "drop", "paste"]) addEventListener(kind, acted, true);

  history.pushState = function (state, unused, url) {
    const to = new URL(url ?? location.href, location.href);
    if (travelled && to.pathname !== location.pathname) return;
    const same = to.origin === location.origin && to.pathname === location.pathname && to.hash === location.hash;
    (same ? history.replaceState : add).call(history, state, unused, url);
  };
}
