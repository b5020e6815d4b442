"""Methods that choose among the proposals of a box."""
