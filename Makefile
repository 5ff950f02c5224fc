# make demo    the page, at http://127.0.0.1:7860, on the embedded model
# make test    everything that is checked: format, lint, types, tests
# make bench   speed, as ratios within one run
# make starter trains models/starter anew (NIH=folder with the films)

PYTHON ?= python3
NIH ?= ../shared/nih
SPLITS = models/starter/splits.csv
TRAIN = $(DEV) train.py --data $(NIH) --boxes $(NIH)/BBox_List_2017.csv --split $(SPLITS)
GO_ON = --freeze-epochs 0 --epochs
SERVE = .venv/bin/python
DEV = .venv-dev/bin/python

.PHONY: demo test bench starter clean

demo: .venv/installed
	$(SERVE) app.py

test: .venv/installed .venv-dev/installed
	$(DEV) -m ruff format --check .
	$(DEV) -m ruff check .
	$(DEV) -m mypy
	$(DEV) -m pytest

bench: .venv/installed .venv-dev/installed
	$(DEV) -m benchmarks; missed=$$?; $(DEV) docs/build.py && exit $$missed

# Two trainings from one start, the mean of their weights, one more on larger films, again the mean,
# and from there two on films half of which are mirrored (docs/experiments.md says why). The split
# stays, so that its test patients stay unseen.
starter: .venv-dev/installed
	rm -rf $(addprefix runs/,base one two mean larger both mirrored half again starter)
	$(TRAIN) --lr 1.5e-3 --output runs/base
	$(TRAIN) $(GO_ON) 8 --lr 1.5e-3 --seed 1 --start runs/base --output runs/one
	$(TRAIN) $(GO_ON) 8 --lr 1.5e-3 --seed 2 --start runs/base --output runs/two
	$(TRAIN) $(GO_ON) 0 --start runs/one runs/two --output runs/mean
	$(TRAIN) $(GO_ON) 6 --lr 1.2e-3 --seed 3 --image-size 384 --start runs/mean --output runs/larger
	$(TRAIN) $(GO_ON) 0 --image-size 384 --start runs/mean runs/larger --output runs/both
	$(TRAIN) $(GO_ON) 5 --lr 1e-3 --mirror --image-size 256 --start runs/both --output runs/mirrored
	$(TRAIN) $(GO_ON) 0 --start runs/both runs/mirrored --output runs/half
	$(TRAIN) $(GO_ON) 4 --lr 1e-3 --seed 5 --mirror --start runs/half --output runs/again
	$(TRAIN) $(GO_ON) 0 --start runs/half runs/again --output runs/starter
	$(DEV) -m cxr.training.starter runs/starter models/starter
	$(DEV) -m benchmarks.odd_pictures models/starter --output models/starter/odd_pictures.json
	$(DEV) docs/build.py

clean:
	rm -rf .venv .venv-dev .mypy_cache .pytest_cache .ruff_cache

# Each environment is made anew when what it should hold changes.
.venv/installed: requirements.txt
	$(PYTHON) -m venv --clear .venv
	$(SERVE) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv-dev/installed: requirements.txt requirements-train.txt requirements-kaggle.txt requirements-ray.txt requirements-dev.txt
	$(PYTHON) -m venv --clear .venv-dev
	$(DEV) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
