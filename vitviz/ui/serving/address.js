// What the address says of a page belongs to that page's one entry in the browser's history. Streamlit adds an entry for
// each change; then whoever has looked at five heads would press Back five times, and see nothing happen.
{
  const add = history.pushState;
  history.pushState = function (state, unused, url) {
    const to = new URL(url ?? location.href, location.href);
    const same = to.origin === location.origin && to.pathname === location.pathname && to.hash === location.hash;
    (same ? history.replaceState : add).call(history, state, unused, url);
  };
}
