"""Write the study beside this file, with made-up values: ``python write.py``."""

from pathlib import Path

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage


def objective(trial):
    """Learn at a rate that suits the optimiser, or not; the second trial diverges."""
    lr = trial.suggest_float("lr", 1e-3, 1e-1, log=True)
    optim = trial.suggest_categorical("optim", ["sgd", "adam", None])
    trial.set_user_attr("n_weights", 1000 * trial.suggest_int("depth", 1, 3))
    trial.set_user_attr("node", f"gpu{trial.number % 2}")
    best = {"sgd": 0.05, "adam": 0.005, None: 1}[optim]
    loss = 2.0
    for epoch in range(6):
        loss = float("nan") if (trial.number, epoch) == (1, 3) else loss * (1 - min(lr, best))
        trial.report(loss, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return loss


if __name__ == "__main__":
    path = Path(__file__).with_name("journal.log")
    path.unlink(missing_ok=True)
    study = optuna.create_study(
        study_name="digits",
        storage=JournalStorage(JournalFileBackend(str(path))),
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1),
    )
    study.optimize(objective, n_trials=12)
    study.enqueue_trial({"lr": 0.05, "optim": "adam"})
