// Streamlit stores whether the sidebar was open. On narrow screens, where it covers the page, it is initially closed.
if (matchMedia("(max-width: 767.98px)").matches) { // as in streamlit_fixes.css
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith("stSidebarCollapsed")) localStorage.removeItem(key);
  } catch { /* no storage available */ }
}
