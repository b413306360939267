"""What all pages share: registry, shell, state, links, settings, jobs, sidebar and tour."""
