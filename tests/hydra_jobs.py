"""Real multiruns of Hydra: the program, and how a test launches it."""

import subprocess
import sys

PROGRAM = """
import csv, logging
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg):
    folder = Path(HydraConfig.get().runtime.output_dir)
    logging.getLogger("train").info("training begins")
    rows = [(e, cfg.optim.lr * (5 - e) + cfg.seed) for e in range(5)]
    crash = cfg.optim.lr == cfg.crash and cfg.seed == 1
    rows = rows[:2] if crash else rows
    if cfg.logger == "native":
        import runcube as rc
        own = OmegaConf.to_container(cfg, resolve=True) if cfg.own else {}
        with rc.RunLogger(folder / "log.jsonl", own) as log:
            for epoch, loss in rows:
                log.log("train", {"loss": loss}, epoch=epoch)
            if crash:
                raise RuntimeError("crashed")
    elif cfg.logger == "tensorboard":
        from tensorboardX import SummaryWriter
        with SummaryWriter(str(folder / "events")) as log:
            for epoch, loss in rows:
                log.add_scalar("loss/train", loss, epoch)
    else:
        with open(folder / "metrics.csv", "w") as file:
            csv.writer(file).writerows([("epoch", "train_loss"), *rows])
    if crash:
        raise RuntimeError("crashed")

main()
"""
CONFIG = """
defaults: [optim: sgd, _self_]
seed: 0
logger: csv
own: true
crash: 0.2
width: 3
double: ${width}
place: ${oc.env:HOME}/data
"""
OPTIMS = {
    "sgd": "name: sgd\nlr: 0.1\nmomentum: 0.9\n",
    "adam": "name: adam\nlr: 0.1\nmomentum: null\n",
}


def write_program(root):
    """Write the program and its configuration below a directory."""
    groups = root / "conf" / "optim"
    groups.mkdir(parents=True)
    for name, text in OPTIMS.items():
        (groups / f"{name}.yaml").write_text(text)
    (root / "conf" / "config.yaml").write_text(CONFIG)
    (root / "train.py").write_text(PROGRAM)


def multirun(root, folder, *overrides):
    """Launch a sweep, and return the directory that it wrote."""
    arguments = ["train.py", "-m", f"hydra.sweep.dir={folder}", *overrides]
    subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True, check=False)
    assert (root / folder / "multirun.yaml").is_file()
    return root / folder
