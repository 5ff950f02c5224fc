# make demo      serve the page at http://127.0.0.1:7860 with the starter model
# make test      check format, lint, types and import contracts; run the tests that are not slow
# make test-all  the same, then the slow tests (trainings)
# make bench     measure speed as ratios within one run, and write docs/performance.md
# make starter   train models/starter again (NIH=folder of the images)
# make clean     remove the environments and caches

PYTHON ?= python3
NIH ?= ../shared/nih
SPLITS = models/starter/splits.csv
TRAIN = $(DEV) train.py --data $(NIH) --boxes $(NIH)/BBox_List_2017.csv --split $(SPLITS)
MORE = --freeze-epochs 0 --epochs
SERVE = .venv/bin/python
DEV = .venv-dev/bin/python

.PHONY: demo test test-all bench starter clean

demo: .venv/installed
	$(SERVE) app.py

test: .venv/installed .venv-dev/installed
	$(DEV) -m ruff format --check .
	$(DEV) -m ruff check .
	$(DEV) -m mypy
	.venv-dev/bin/lint-imports --no-cache --no-logo
	$(DEV) -m pytest -m "not slow"

test-all: test
	$(DEV) -m pytest -m slow

bench: .venv/installed .venv-dev/installed
	$(DEV) -m benchmarks; missed=$$?; $(DEV) docs/build.py && exit $$missed

# Two trainings start from one base, and their weights are averaged. A third continues on larger
# images and is averaged again. Two more mirror half of the images. docs/development-log.md gives
# the reasons. The split stays the same, so that its test patients stay unseen.
starter: .venv-dev/installed
	rm -rf $(addprefix runs/,base one two mean larger both mirrored half again starter)
	$(TRAIN) --lr 1.5e-3 --output runs/base
	$(TRAIN) $(MORE) 8 --lr 1.5e-3 --seed 1 --start runs/base --output runs/one
	$(TRAIN) $(MORE) 8 --lr 1.5e-3 --seed 2 --start runs/base --output runs/two
	$(TRAIN) $(MORE) 0 --start runs/one runs/two --output runs/mean
	$(TRAIN) $(MORE) 6 --lr 1.2e-3 --seed 3 --image-size 384 --start runs/mean --output runs/larger
	$(TRAIN) $(MORE) 0 --image-size 384 --start runs/mean runs/larger --output runs/both
	$(TRAIN) $(MORE) 5 --lr 1e-3 --mirror --image-size 256 --start runs/both --output runs/mirrored
	$(TRAIN) $(MORE) 0 --start runs/both runs/mirrored --output runs/half
	$(TRAIN) $(MORE) 4 --lr 1e-3 --seed 5 --mirror --start runs/half --output runs/again
	$(TRAIN) $(MORE) 0 --start runs/half runs/again --output runs/starter
	$(DEV) -m cxr.training.starter runs/starter models/starter
	$(DEV) -m benchmarks.ood_images models/starter --output models/starter/ood_images.json
	$(DEV) docs/build.py

clean:
	rm -rf .venv .venv-dev .mypy_cache .pytest_cache .ruff_cache

# An environment is rebuilt when the requirements that it is built from change.
.venv/installed: requirements.txt
	$(PYTHON) -m venv --clear .venv
	$(SERVE) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv-dev/installed: requirements.txt requirements-train.txt requirements-kaggle.txt requirements-ray.txt requirements-dev.txt
	$(PYTHON) -m venv --clear .venv-dev
	$(DEV) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
