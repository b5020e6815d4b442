"""``wsstool pseudo-mask``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from wsstool.cli import options
from wsstool.cli.run import call


def pseudo_mask(
    source: options.Source = None,
    output: options.Output = None,
    rule: Annotated[
        options.Rule,
        typer.Option(
            help="how scores become labels; 'wsstool methods' compares", rich_help_panel=options.METHOD
        ),
    ] = "argmax",
    refine: options.Refine = None,
    settings: options.Settings = None,
    normalise: Annotated[
        Literal["auto", "joint", "class", "minmax", "probability", "none"],
        typer.Option(
            help="scale to [0, 1]; auto: 'class' before crf, 'probability' after predict, 'minmax' for "
            "multilayer, else 'joint'",
            rich_help_panel=options.METHOD,
        ),
    ] = "auto",
    background: Annotated[
        options.BackgroundKind,
        typer.Option(
            help="auto: as the class list says (none for multilayer); none: every pixel belongs to a class "
            "that is tagged; white: so it is, but for what is white in the image",
            rich_help_panel=options.METHOD,
        ),
    ] = "auto",
    background_threshold: Annotated[
        str,
        typer.Option(
            help="score of the background, in [0, 1], or 'auto': chosen from the scores of the whole set",
            rich_help_panel=options.METHOD,
        ),
    ] = "0.3",
    background_threshold_low: Annotated[
        float | None,
        typer.Option(
            help="a second, lower score, in [0, 1]: pixels on which the two disagree are ignored",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    background_power: Annotated[
        float | None,
        typer.Option(
            help="background (1 - best score)^POWER in place of a constant, above 0",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    ignore_margin: Annotated[
        float,
        typer.Option(
            help="ignore pixels whose best score is less than this above the second, in [0, 1]",
            rich_help_panel=options.METHOD,
        ),
    ] = 0.0,
    overlap: Annotated[
        Literal["ignore", "score"],
        typer.Option(
            help="of masks of boxes: where objects of different classes meet: ignore, or the better on top",
            rich_help_panel=options.METHOD,
        ),
    ] = "ignore",
    min_score: Annotated[
        float,
        typer.Option(
            help="of masks of boxes: ignore the boxes of objects whose mask scores less, in [0, 1]",
            rich_help_panel=options.METHOD,
        ),
    ] = 0.0,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            help="layer of the input to use; repeatable; default: all, one label map each",
            rich_help_panel=options.METHOD,
        ),
    ] = None,
    images: options.Images = None,
    workers: options.Workers = 2,
    max_failed: options.MaxFailed = 0,
    force: options.Force = False,
) -> None:
    """Turn class maps, or the masks of boxes, into label maps.

    Examples: wsstool pseudo-mask cams.h5 --refine crf -o masks.h5;
    wsstool cam data/ --weights cls.pth | wsstool pseudo-mask --background-threshold auto -o masks.h5;
    wsstool pseudo-mask selection.h5 --min-score 0.4 -o masks.h5
    """
    call("pseudo_masks.pseudo_mask:pseudo_mask", locals())
