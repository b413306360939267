"""Application shared by all pages: registry, shell, state, links, settings, jobs, sidebar and tour."""
