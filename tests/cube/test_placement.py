"""Values of runs in the cube: those of many that are written together are those of each."""

from itertools import count

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from logs import make_curves, make_log

from runcube.core.model import Status
from runcube.cube.placement import InnerLabels, Scatter
from runcube.curves import KeptRun
from runcube.curves.attempts import AttemptResolver
from runcube.curves.own_x import Choice
from runcube.curves.x_axis import align_x

X = st.sampled_from([[0, 1, 2], [1, 3, 5], [5, 4, 3], [0, 1, None]])
METRICS = st.sampled_from([("loss",), ("loss", "acc"), ("acc", "f1", "loss"), ("other", "loss")])
LABELS = st.sampled_from(
    [(("train", "val"), ("loss", "acc", "f1")), (("val",), ("f1", "loss")), (("val",), ("acc",))]
)


SPLITS = st.sampled_from([("val",), ("train", "val"), ("val", "train")])


@st.composite
def alike(draw):
    """Logs of one or two shapes, with values of their own."""
    shapes = [
        [(split, draw(X), draw(METRICS), draw(st.booleans())) for split in draw(SPLITS)]
        for _ in range(draw(st.integers(1, 2)))
    ]
    found, number = [], count()
    for shape in draw(st.lists(st.sampled_from(shapes), min_size=1, max_size=6)):
        curves = []
        for split, x, names, has_gap in shape:
            metrics = {name: [next(number) for _ in range(3)] for name in names}
            if has_gap:
                metrics[names[0]][1] = None
            curves.append(make_curves({"epoch": x}, metrics, split))
        found.append(make_log(*curves))
    return found


@given(
    several=alike(),
    labels=LABELS,
    align=st.sampled_from(["union", "order"]),
    random=st.randoms(use_true_random=False),
)
def test_runs_that_are_written_together_have_the_values_of_each(several, labels, align, random):
    resolver = AttemptResolver("epoch")
    attempts = [resolver.attempts(log)[0] for log in several]
    kept = [KeptRun(i, attempt, Status.COMPLETE) for i, attempt in enumerate(attempts)]
    axis = align_x(attempts, Choice("epoch", ""), align, ())
    scatter = Scatter(axis, InnerLabels(*labels))
    cells = np.array(random.sample(range(len(kept) + 2), len(kept)))
    shape = (len(kept) + 2, *map(len, labels), len(axis.labels))
    wanted, marked = np.full(shape, np.nan), np.zeros(shape, bool)
    for run, cell in zip(kept, cells.tolist(), strict=True):
        scatter.put(run, wanted[cell], marked[cell])
    curve, logged = np.full(shape, np.nan), np.zeros(shape, bool)
    scatter.put_each(kept, cells, curve, logged)
    np.testing.assert_array_equal(curve, wanted)
    np.testing.assert_array_equal(logged, marked)
