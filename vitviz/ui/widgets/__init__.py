"""Small reusable elements of pages."""
