"""Write the runs beside this file with the Trainer, and ``truth.json``: what it logged.

``python write.py OUT`` in an environment with torch, transformers, accelerate and tensorboardX.
The model is a single layer on made-up numbers.
"""

import json
import sys
from pathlib import Path

import torch
from torch import nn
from transformers import (
    EarlyStoppingCallback,
    PretrainedConfig,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

ROOT = Path(sys.argv[1])
KEPT = ("trainer_state.json", "training_args.json", "config.json", "truth.json")


class Config(PretrainedConfig):
    model_type = "tiny"

    def __init__(self, width=4, **options):
        self.width = width
        super().__init__(**options)


class Model(PreTrainedModel):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.body = nn.Linear(config.width, 1)
        self.post_init()

    def forward(self, x, labels=None):
        out = self.body(x).squeeze(-1)
        return {"loss": ((out - labels) ** 2).mean(), "logits": out}


def data(seed, n=64, poison=False):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=g)
    y = x.sum(1)
    if poison:
        y[20] = float("nan")
    return [{"x": a, "labels": b} for a, b in zip(x, y, strict=False)]


class Crash(TrainerCallback):
    def __init__(self, at):
        self.at = at

    def on_step_begin(self, args, state, control, **_):
        if state.global_step == self.at:
            raise RuntimeError("out of luck")


logged = {}


class Note(TrainerCallback):
    """What Trainer.log was called with: the truth."""

    def __init__(self, name):
        self.name = name

    def on_log(self, args, state, control, logs=None, **_):
        logged.setdefault(self.name, []).append({**logs, "step": state.global_step})


def metrics(p):
    return {"mae": float(abs(p.predictions - p.label_ids).mean())}


def train(
    name,
    lr=0.1,
    seed=1,
    crash=None,
    resume=None,
    poison=False,
    stop=False,
    several=False,
    args_json=True,
    save_state=True,
    **more,
):
    out = ROOT / name
    options = {
        "output_dir": str(out),
        "learning_rate": lr,
        "seed": seed,
        "num_train_epochs": 3,
        "per_device_train_batch_size": 8,
        "logging_steps": 2,
        "eval_strategy": "steps",
        "eval_steps": 4,
        "save_steps": 8,
        "save_strategy": "steps",
        "report_to": [],
        "use_cpu": True,
        "disable_tqdm": True,
        "save_only_model": False,
    } | more
    args = TrainingArguments(**options)
    torch.manual_seed(seed)
    callbacks = [Note(name)] + ([Crash(crash)] if crash else [])
    if stop:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=1))
    sets = {"near": data(7), "far_off": data(8)} if several else data(7)
    trainer = Trainer(
        model=Model(Config()),
        args=args,
        train_dataset=data(seed, poison=poison),
        eval_dataset=sets,
        compute_metrics=metrics,
        callbacks=callbacks,
    )
    if args_json:
        out.mkdir(parents=True, exist_ok=True)
        (out / "training_args.json").write_text(args.to_json_string())
    try:
        trainer.train(resume_from_checkpoint=resume)
    except RuntimeError as error:
        print(name, error)
        return
    if save_state:
        trainer.save_state()


for lr in (0.1, 0.01):
    for seed in (1, 2):
        train(f"sweep/lr{lr}_s{seed}", lr, seed)
train("others/several", 0.05, 1, several=True)
train("others/poisoned", 0.05, 2, poison=True)
train("others/unfiltered", 0.05, 3, poison=True, logging_nan_inf_filter=False)
train("others/crashed", 0.05, 4, crash=13, report_to=["tensorboard"])
train("others/resumed", 0.05, 5, crash=13)
train("others/resumed", 0.05, 5, resume=True)
best = {"metric_for_best_model": "eval_loss", "greater_is_better": False, "save_steps": 4}
train("others/stopped", 2.5, 6, stop=True, load_best_model_at_end=True, save_state=False, **best)
train("others/bare", 0.1, 9, args_json=False, save_state=False)
(ROOT / "truth.json").write_text(json.dumps(logged))
for path in ROOT.rglob("*"):
    is_pickle = path.name == "training_args.bin" and "bare/checkpoint-24" in str(path)
    is_kept = path.name in KEPT or "tfevents" in path.name or is_pickle
    if path.is_file() and not is_kept:
        path.unlink()
