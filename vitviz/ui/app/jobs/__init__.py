"""Background jobs: the queue shared by all users, estimated durations, and progress on pages."""
