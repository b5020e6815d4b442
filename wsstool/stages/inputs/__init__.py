"""What a stage reads: images, image-level labels, boxes and label maps, from data folders or record files."""
