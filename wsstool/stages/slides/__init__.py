"""`tiles`: slides cut into data folders, and label maps put back together."""
