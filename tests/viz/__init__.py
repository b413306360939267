"""Tests of pictures and figures."""
