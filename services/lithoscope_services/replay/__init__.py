"""A stored experiment again, as if it were live: the same messages through the same sockets."""
