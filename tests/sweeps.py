"""Small sweeps in the native layout, for tests that want files rather than arrays."""

from pathlib import Path

import runcube as rc

SPLITS = ("train", "val")
METRICS = ("loss", "acc1")


def logged_value(config_index, seed, split, metric, epoch):
    """Value that `write_sweep` logs: every argument shows in another decimal place."""
    place = SPLITS.index(split) * 10 + METRICS.index(metric)
    return config_index * 1000.0 + seed * 100.0 + place + epoch / 100.0


def write_run(path, config, *, epochs=3, value=logged_value, config_index=0, finish=True):
    """Write one run; without ``finish`` it stops as a killed one does.

    ``config`` is the nested configuration with its ``seed``. Returns the path of the log.
    """
    log = rc.RunLogger(path, config)
    for epoch in range(epochs):
        log.start_epoch(epoch)
        for split in SPLITS:
            metrics = {m: value(config_index, config["seed"], split, m, epoch) for m in METRICS}
            log.log(split, metrics)
    if finish:
        log.close()
    else:
        log._file.close()
    return log.path


def write_sweep(root, configs, seeds, *, epochs=3, value=logged_value, leave_out=(), killed=()):
    """Write a run for every configuration and seed, in directories ``000``, ``001``, ….

    Parameters
    ----------
    root : path-like
    configs : sequence of nested dict
        Without ``seed`` and ``epochs``, which are added.
    seeds : sequence of int
    epochs : int
        Epochs of a whole run; the configuration promises as many.
    value : callable
        ``(config_index, seed, split, metric, epoch) -> float``.
    leave_out, killed : collection of (config_index, seed)
        Runs that are not written at all, and runs that stop after their first epoch.
    """
    root = Path(root)
    number = 0
    for index, config in enumerate(configs):
        for seed in seeds:
            number += 1
            if (index, seed) in leave_out:
                continue
            stopped = (index, seed) in killed
            write_run(
                root / f"{number:03d}",
                {**config, "seed": seed, "epochs": epochs},
                epochs=1 if stopped else epochs,
                value=value,
                config_index=index,
                finish=not stopped,
            )
    return root


def product_configs(**values):
    """Nested configurations of a full grid: ``product_configs(optim__lr=[0.1, 1.0])``."""
    configs = [{}]
    for key, options in values.items():
        configs = [{**config, key: option} for config in configs for option in options]
    return [nested(config) for config in configs]


def nested(flat):
    """``{"optim__lr": 1}`` as ``{"optim": {"lr": 1}}``."""
    config = {}
    for key, value in flat.items():
        *sections, name = key.split("__")
        inner = config
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[name] = value
    return config
