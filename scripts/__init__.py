"""Development scripts that are neither part of the library nor of the app."""
