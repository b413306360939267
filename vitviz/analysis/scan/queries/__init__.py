"""Queries of a scan with DuckDB, which reads only the columns and rows of the tables that a question needs."""
