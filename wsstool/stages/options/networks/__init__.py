"""Options that name a network whose features or masks a method uses."""
