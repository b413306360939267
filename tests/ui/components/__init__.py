"""Tests of browser components, without a browser."""
