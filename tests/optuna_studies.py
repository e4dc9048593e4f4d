"""Studies that Optuna itself wrote, into a journal file and into SQLite."""

import warnings

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage

optuna.logging.set_verbosity(optuna.logging.ERROR)
NAN, INF = float("nan"), float("inf")


def storage_of(path):
    """The storage in a file: SQLite by its ending, else a journal."""
    if path.suffix == ".db":
        return f"sqlite:///{path}"
    return JournalStorage(JournalFileBackend(str(path)))


def objective(trial):
    """Of seven trials one is NaN, one was at infinity, one is pruned, one raises."""
    lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    trial.suggest_categorical("optim.name", ["sgd", "adam", None, 3])
    trial.suggest_int("depth", 1, 4)
    trial.set_user_attr("val_acc", 0.5 + trial.number / 10)
    trial.set_user_attr("seed", trial.number % 2)
    trial.set_user_attr("data", "mnist" if trial.number % 3 else "cifar")
    for step in range(5):
        odd = {(2, 3): NAN, (3, 1): INF, (3, 2): -INF}
        trial.report(odd.get((trial.number, step), (4 - step) * lr), step * 10)
        if (trial.number, step) == (4, 2):
            raise optuna.TrialPruned
        if (trial.number, step) == (5, 1):
            raise RuntimeError
    return {2: NAN, 6: INF}.get(trial.number, lr)


def both(trial):
    """An objective of two values, without reports."""
    x = trial.suggest_float("x", 0, 1)
    return x, 1 - x


def write(path):
    """Write two studies: of one, a trial still runs, and one waits."""
    storage = storage_of(path)

    def study(name, **options):
        sampler = optuna.samplers.RandomSampler(seed=0)
        return optuna.create_study(storage=storage, study_name=name, sampler=sampler, **options)

    one = study("one")
    one.set_user_attr("team", "a")
    one.optimize(objective, n_trials=7, catch=(RuntimeError,))
    one.enqueue_trial({"lr": 0.05})
    trial = one.ask()
    trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    trial.report(1.5, 0)
    one.enqueue_trial({"lr": 0.06})
    two = study("two", directions=["minimize", "maximize"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        two.set_metric_names(["err", "acc"])
    two.optimize(both, n_trials=3)
    three = study("three", direction="maximize")
    three.add_trial(
        optuna.trial.create_trial(
            params={"x": 0.25},
            distributions={"x": optuna.distributions.FloatDistribution(0, 1)},
            value=0.5,
            intermediate_values={3: 0.25, 7: NAN},
            user_attrs={"a/b": [1, 2]},
        )
    )
    study("deleted").optimize(_one, n_trials=1)
    optuna.delete_study(study_name="deleted", storage=storage)
    study("four").optimize(_one, n_trials=2)
    return path


def _one(trial):
    return trial.suggest_float("x", 0, 1)


def trials(path):
    """What Optuna reads of a file: study to its trials."""
    storage = storage_of(path)
    names = optuna.get_all_study_names(storage)
    return {name: optuna.load_study(study_name=name, storage=storage).trials for name in names}


def write_more(path):
    """Write two more trials of a study."""
    study = optuna.create_study(storage=storage_of(path), study_name="s", load_if_exists=True)
    study.optimize(_one, n_trials=2)
