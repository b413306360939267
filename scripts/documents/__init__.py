"""Documentation site, and the pictures that it and the README show."""
