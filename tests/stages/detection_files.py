"""Four detections of two images, and what is true of them."""

ROWS = [
    {"image_id": 2, "category_id": 5, "bbox": [10, 10, 20, 30], "score": 0.9, "note": "kept"},
    {"image_id": 2, "category_id": 5, "bbox": [11, 10, 20, 30], "score": 0.8},
    {"image_id": 2, "category_id": 7, "bbox": [11, 10, 20, 30], "score": 0.7},
    {"image_id": 1, "category_id": 5, "bbox": [10, 10, 20, 30], "score": 0.6},
]
TRUTH = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "height": 60, "width": 80},
        {"id": 2, "file_name": "b.jpg", "height": 60, "width": 80},
    ],
    "categories": [{"id": 5, "name": "cat"}, {"id": 7, "name": "wild dog"}],
    "annotations": [
        {"id": 1, "image_id": 2, "category_id": 5, "bbox": [10, 10, 20, 30], "area": 600, "iscrowd": 0},
        {"id": 2, "image_id": 2, "category_id": 7, "bbox": [11, 10, 20, 30], "area": 600, "iscrowd": 0},
        {"id": 3, "image_id": 1, "category_id": 5, "bbox": [10, 10, 20, 30], "area": 600, "iscrowd": 0},
    ],
}
