"""Pages for people that are one file each: no server, no network, no script."""
