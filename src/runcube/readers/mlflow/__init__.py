"""MLflow, both of its own storages: folders of files, and SQLite.

``reader`` is the reader; start there. ``files`` finds and reads the runs of a file store,
``sqlite`` those of a database; both make `MlflowRun` (``runs``), which becomes a log of points:
``order`` says in which order they were logged, ``params`` what the text of a parameter is. May
import ``core``, ``files`` and the modules beside this folder.
"""

from runcube.readers.mlflow.reader import MlflowReader

__all__ = ["MlflowReader"]
