"""Drawn images of two shapes, left and right, and a sentence for each, true of one of them only."""

import torch

WORDS = ["<pad>", "<unk>", "red", "green", "blue", "yellow", "square", "circle", "triangle"]
WORDS += ["left", "right", "one"]
COLOURS = {"red": (220, 50, 40), "green": (50, 190, 70), "blue": (50, 80, 220), "yellow": (220, 210, 60)}
SHAPES = ("square", "circle", "triangle")
SIDE, LENGTH = 64, 20


def pairs(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw ``n`` images: (n,3,64,64) normalised, (n,2,64,64) masks, (n,2,20) sentences, left-padded."""
    generator = torch.Generator().manual_seed(seed)
    images, masks, sentences = zip(*(pair(generator) for _ in range(n)), strict=True)
    return (torch.stack(images) / 255 - 0.45) / 0.22, torch.stack(masks), torch.stack(sentences)


def pair(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    def draw(n: int) -> int:
        return int(torch.randint(n, (), generator=generator))

    image = 60 * torch.rand(3, SIDE, SIDE, generator=generator) + 90
    objects = [(list(COLOURS)[draw(4)], SHAPES[draw(3)]) for _ in range(2)]
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    masks, sentences = [], []
    for k, (colour, shape) in enumerate(objects):
        radius, dx, dy = 7 + draw(5), x - (13 + 32 * k + draw(7)), y - (14 + draw(37))
        mask = {
            "square": (dx.abs() <= radius) & (dy.abs() <= radius),
            "circle": dx**2 + dy**2 <= radius**2,
            "triangle": (dy.abs() <= radius) & (2 * dx.abs() <= dy + radius),
        }[shape]
        noise = 15 * torch.randn(3, SIDE, SIDE, generator=generator)
        image = torch.where(mask, torch.tensor(COLOURS[colour])[:, None, None] + noise, image)
        masks.append(mask)
    for k in range(2):
        possible = true_of_one(objects[k], objects[1 - k], ("left", "right")[k])
        words = [WORDS.index(word) for word in possible[draw(len(possible))].split()]
        sentences.append(torch.tensor([0] * (LENGTH - len(words)) + words))
    return image.clamp(0, 255), torch.stack(masks), torch.stack(sentences)


def true_of_one(one: tuple[str, str], other: tuple[str, str], side: str) -> list[str]:
    """The sentences that are true of an object and not of the other one."""
    colour, shape = one
    found = [f"{side} one", f"{side} {colour} {shape}"]
    if colour != other[0]:
        found.append(f"{colour} one")
    if shape != other[1]:
        found.append(shape)
    else:
        found.append(f"{side} {shape}")
    if one != other:
        found.append(f"{colour} {shape}")
    return found
