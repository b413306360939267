"""Everything that knows Streamlit: state, the sidebar, and the components that run in the browser."""
