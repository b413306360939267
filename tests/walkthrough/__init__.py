"""Tests of the arithmetic of the lesson pages."""
