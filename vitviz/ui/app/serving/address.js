// Each page has one entry in the browser history. Streamlit would add an entry for each change of the query parameters, so
// that a user who has viewed five heads would have to press Back five times, without visible effect. Also, a page that was
// left by Back may still set its address, which would add it to the history again and remove the entries after it.
{
  const add = history.pushState;
  let travelled = false; // true after Back or Forward, until the next action on the page
  addEventListener("popstate", () => { travelled = true; }, true);
  const acted = (event) => {
    if (!(event.button > 2 || event.altKey || event.metaKey)) travelled = false; // otherwise, the event is Back or Forward itself
  };
  for (const kind of ["pointerdown", "click", "keydown", "change", "drop", "paste"]) addEventListener(kind, acted, true);

  history.pushState = function (state, unused, url) {
    const to = new URL(url ?? location.href, location.href);
    if (travelled && to.pathname !== location.pathname) return;
    const same = to.origin === location.origin && to.pathname === location.pathname && to.hash === location.hash;
    (same ? history.replaceState : add).call(history, state, unused, url);
  };
}
