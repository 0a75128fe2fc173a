"""The files that steps write, by name: a later step finds them by these."""

# Validate data
TABLE = "table.parquet"
REPORT = "report.json"
# Split rows
TRAIN_ROWS = "train.parquet"
VALIDATION_ROWS = "validation.parquet"
HOLDOUT_ROWS = "holdout.parquet"
# Tune
TUNING = "tuning.json"
# Train: the folder of the model artifact
MODEL = "model"
# Score holdout
SCORES = "scores.parquet"
METRICS = "metrics.json"
CASE = "case.json"
# The same files of the validation rows, where nothing of the holdout is told of most candidates
ON_VALIDATION = "validation"
# Decide
VERDICT = "verdict.json"
STANDING = "standing.json"
VALIDATION_RULES = "validation.json"
# Replay
FORECAST = "forecast.json"
# Build image
LAYERS = "layers.json"
# The store, beside what a step wrote
RECORD = "step.json"
