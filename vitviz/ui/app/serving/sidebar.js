// Streamlit remembers whether the sidebar was open. On a narrow screen, where it lies over the page, it is closed at first,
// however the last visit ended.
if (matchMedia("(max-width: 767.98px)").matches) { // as in streamlit_fixes.css
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith("stSidebarCollapsed")) localStorage.removeItem(key);
  } catch { /* a browser without storage remembers nothing */ }
}
