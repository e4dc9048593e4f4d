"""What x is called where its name is taken, or no identifier."""

import json

import runcube as rc


def test_a_dim_with_another_name_tells_that_of_the_quantity(tmp_path):
    for lr in (0.1, 0.2):
        rows = [{"train step": e, "loss": lr + e} for e in range(3)]
        lines = [{"config": {"lr": lr, "train_step": 5}}, *rows]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / f"{lr}.jsonl").write_text(text)
    ds = rc.load_runs(tmp_path)
    dim = ds.curve.dims[-1]
    assert dim.isidentifier()
    assert ds[dim].attrs["long_name"] == "train step"
    assert ds[dim].values.tolist() == [0, 1, 2]
