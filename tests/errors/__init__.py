"""Tests of arguments and errors."""
