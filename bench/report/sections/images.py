"""Images: quality by size of the hole, and the images with the largest influence on the score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.document.model import Section, Table
from bench.document.text import fixed, percent
from bench.results.cells import Cell, settings

if TYPE_CHECKING:
    from bench.report.view import View


def holes(view: View, cell: Cell) -> Section | None:
    """Quality of a cell by quarters of the hole size; None without ground truth."""
    rows = [
        (
            f"{percent(hole.hole_ratio_from)} to {percent(hole.hole_ratio_to)}",
            str(hole.n),
            fixed(hole.means["psnr_hole_db"], 2, " dB"),
            fixed(hole.means["mae_hole"], 2),
            fixed(hole.means["ssim_hole"], 3),
            percent(hole.means["token_accuracy"]),
        )
        for hole in view.hole_bins
        if hole.cell_id == cell.cell_id and hole.means["psnr_hole_db"] is not None
    ]
    header = ("hole", "images", "PSNR", "MAE", "SSIM", "token accuracy")
    table = Table(header, tuple(rows), tuple(range(len(header))))
    return Section("Best cell by size of the hole", (table,)) if rows else None


def influential(view: View) -> Section:
    """The images whose removal would change the best cell's score the most."""
    return Section("The most influential images", (influential_table(view),))


def influential_table(view: View) -> Table:
    """The table of these images, the most influential first."""
    rows = [
        (
            str(row.image_id),
            f"{row.influence:+.{view.metric.decimals}f}",
            settings(view.cell(row.cell_id), view.varied),
            "" if row.copy_of in (None, row.image_id) else f"copy of image {row.copy_of}",
        )
        for row in view.influential
    ]
    return Table(("image", "influence", "cell", ""), tuple(rows), (0, 1))
