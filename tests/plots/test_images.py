"""Pictures stand where they should, to the pixel."""

from __future__ import annotations

import io
from statistics import NormalDist

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from elbowroom.plots import images
from elbowroom.plots.mosaic import GAP, NOT_A_NUMBER, WIDE, as_rgb, fitted, in_rows, mosaic
from elbowroom.plots.style import png


def levels(count: int, channels: int = 1, side: int = 8) -> np.ndarray:
    """Return plain pictures, each of its own grey (or colour), none of them white."""
    whole = np.linspace(12, 204, count * channels).round() / 255
    # Reddish, where text is bluish: no pixel of a letter's edge is taken for a picture.
    values = whole.reshape(count, channels, 1, 1)[:, ::-1]
    return np.broadcast_to(values, (count, channels, side, side)).copy()


def rendered(figure: Figure) -> np.ndarray:
    """Return the PNG's pixels ``(H, W, 3)`` in [0, 1]."""
    buffer = io.BytesIO()
    png(figure, buffer)
    return np.asarray(Image.open(buffer).convert("RGB"), float) / 255


def find(pixels: np.ndarray, colour: np.ndarray) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of the pixels of one colour; they must be a full box."""
    close = (np.abs(pixels - colour) < 1.5 / 255).all(-1)
    rows, columns = np.nonzero(close)
    box = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    assert close[box[0] : box[1], box[2] : box[3]].all(), "the picture is not a full rectangle"
    return tuple(int(b) for b in box)  # type: ignore[return-value]


@pytest.mark.parametrize("channels", [1, 3])
def test_grid_places_picture_k_at_its_pixels(channels: int) -> None:
    pictures = levels(7, channels)
    pixels = rendered(images.image_grid(pictures, columns=3, title="Samples"))
    colours = as_rgb(pictures)[:, 0, 0]
    boxes = [find(pixels, c) for c in colours]
    top, bottom, left, _ = boxes[0]
    side = bottom - top
    assert side % 8 == 0, "pictures are enlarged by a whole factor"
    for k, box in enumerate(boxes):
        i, j = divmod(k, 3)
        y, x = top + i * (side + GAP), left + j * (side + GAP)
        assert box == (y, y + side, x, x + side)
    empty = pixels[boxes[6][0] : boxes[6][1], boxes[7 - 3][2] : boxes[5][3]]
    assert (empty == 1).all(), "the rest of the last row is white"


def test_every_pixel_of_a_picture_is_drawn() -> None:
    picture = np.random.default_rng(0).random((1, 1, 8, 8)).round(2)
    pixels = rendered(images.image_grid(picture))
    canvas = mosaic(as_rgb(picture)[None]).canvas
    height, width = canvas.shape[:2]
    margin = (pixels.shape[0] - height) // 2
    shown = pixels[margin : margin + height, margin : margin + width]
    assert np.abs(shown - canvas).max() <= 1 / 255


def test_colour_clipping_and_what_is_not_a_number() -> None:
    picture = np.array([-1.0, 2.0, np.nan, 0.5]).reshape(1, 1, 2, 2)
    assert np.allclose(as_rgb(picture)[0, :, :, 0].ravel(), [0, 1, NOT_A_NUMBER[0], 0.5])
    colour = np.arange(3).reshape(1, 3, 1, 1) / 2
    assert np.allclose(as_rgb(colour)[0, 0, 0], [0, 0.5, 1])
    assert np.allclose(as_rgb(np.array([0.2, 0.4]).reshape(1, 2, 1, 1)), 0.3)
    with pytest.raises(ValueError, match="C, H, W"):
        as_rgb(np.zeros((8, 8)))


def test_large_pictures_are_averaged() -> None:
    big = np.random.default_rng(0).random((1, 448, 448, 3))
    small = fitted(big)
    assert small.shape == (1, 224, 224, 3)
    assert np.isclose(small[0, 0, 0, 0], big[0, :2, :2, 0].mean())


def test_in_rows_fills_with_white() -> None:
    rows = in_rows(np.zeros((5, 2, 2, 3)), 3)
    assert rows.shape == (2, 3, 2, 2, 3)
    assert (rows[1, 2] == 1).all()
    assert rows.sum() == 12


@pytest.mark.parametrize(
    ("count", "columns"), [(1, 1), (10, 5), (16, 4), (40, 8), (64, 8), (7, 4)]
)
def test_near_square(count: int, columns: int) -> None:
    assert images.near_square(count) == columns


def test_originals_stand_over_their_reconstructions() -> None:
    both = levels(6)
    pixels = rendered(images.reconstructions(both[:3], both[3:], columns=2))
    colours = as_rgb(both)[:, 0, 0]
    boxes = [find(pixels, c) for c in colours]
    for above, below in zip(boxes[:3], boxes[3:]):
        assert above[2:] == below[2:]
        assert below[0] - above[1] == GAP
    assert boxes[2][0] - boxes[3][1] == WIDE, "pairs stand apart"


def test_snapshots_put_steps_in_rows_and_samples_to_the_right() -> None:
    unique = levels(10)
    steps = {100: unique[4:6], 0: unique[2:4]}
    draws = {0: unique[6:8], 100: unique[8:10]}
    pixels = rendered(images.snapshots(unique[:2], steps, draws))
    data, early, late, early_draws, late_draws = (
        [find(pixels, as_rgb(unique)[k, 0, 0]) for k in (2 * g, 2 * g + 1)] for g in range(5)
    )
    assert data[0][1] < early[0][0] < late[0][0], "steps go down the page, in order"
    assert [b[:2] for b in early] == [b[:2] for b in early_draws]
    assert [b[:2] for b in late] == [b[:2] for b in late_draws]
    assert all(b[2] > early[1][3] for b in early_draws), "draws stand right of reconstructions"
    assert [b[2:] for b in data] == [b[2:] for b in early] == [b[2:] for b in late]


def test_snapshots_without_a_prior_and_with_many_pictures() -> None:
    many = levels(20)
    figure = images.snapshots(many, {0: np.zeros_like(many)}, {}, count=4)
    shown = {t.get_text() for t in figure.axes[0].texts}
    assert "the same draws, decoded" not in shown
    pixels = rendered(figure)
    find(pixels, as_rgb(many)[3, 0, 0])
    with pytest.raises(ValueError, match="zero-size"):
        find(pixels, as_rgb(many)[4, 0, 0])


def test_manifold_points_up_and_right_without_gaps() -> None:
    grid = levels(4).reshape(2, 2, 1, 8, 8)
    figure = images.manifold(grid, (0.1, 0.9))
    pixels = rendered(figure)
    low, right, up, corner = (find(pixels, c) for c in as_rgb(grid)[:, :, 0, 0].reshape(4, 3))
    assert (low[3], *low[:2]) == (right[2], *right[:2]), "z[0] goes to the right"
    assert (up[1], *up[2:]) == (low[0], *low[2:]), "z2 goes up"
    assert corner[1] == right[0]
    texts = [t.get_text() for t in figure.axes[0].get_xticklabels()]
    assert texts[0] == f"−{NormalDist().inv_cdf(0.9):.2f}\n(10%)"
    assert texts[2] == "0\n(50%)"


def test_traversals_name_rows_and_columns() -> None:
    figure = images.traversals(levels(6).reshape(2, 3, 1, 8, 8), [-3, 0, 3], kl=[1.234, 0])
    texts = [t.get_text() for t in figure.axes[0].texts]
    assert texts == ["z[0]", "z[1]", "1.23 nats", "0.00 nats", "−3", "0", "3"]


def test_one_latent_and_one_step() -> None:
    pixels = rendered(images.traversals(levels(1).reshape(1, 1, 1, 8, 8), [0.0]))
    find(pixels, as_rgb(levels(1))[0, 0, 0])


def test_interpolations_go_from_left_to_right() -> None:
    path = levels(3)
    pixels = rendered(images.interpolations(path[None]))
    boxes = [find(pixels, c) for c in as_rgb(path)[:, 0, 0]]
    assert boxes[0][3] < boxes[1][2] < boxes[1][3] < boxes[2][2]


@pytest.mark.parametrize("value", [-0.001, 0.0, -3.0, 1.25, 0.6])
def test_signed(value: float) -> None:
    text = images.signed(value)
    assert "-" not in text
    assert text != "−0"
    assert float(text.replace("−", "-")) == pytest.approx(value, abs=0.005)


def test_no_pictures_is_said() -> None:
    nothing = np.zeros((0, 1, 8, 8))
    for figure in (
        images.image_grid(nothing),
        images.reconstructions(nothing, nothing),
        images.snapshots(nothing, {}, {}),
        images.manifold(nothing.reshape(0, 0, 1, 8, 8)),
        images.traversals(nothing.reshape(0, 0, 1, 8, 8), []),
        images.interpolations(nothing.reshape(0, 0, 1, 8, 8)),
    ):
        assert figure.axes[0].texts[0].get_text() == "no pictures to show"
        rendered(figure)
