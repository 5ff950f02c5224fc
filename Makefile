# make demo    the page, at http://127.0.0.1:7860, on the embedded model
# make test    everything that is checked: format, lint, types, tests
# make bench   speed, as ratios within one run
# make starter trains models/starter anew (NIH=folder with the films)

PYTHON ?= python3
NIH ?= ../shared/nih
SPLITS = models/starter/splits.csv
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
	$(DEV) -m benchmarks

starter: .venv-dev/installed
	rm -rf runs/starter
	$(DEV) train.py --data $(NIH) --boxes $(NIH)/BBox_List_2017.csv --lr 1.5e-3 \
		--output runs/starter $(if $(wildcard $(SPLITS)),--split $(SPLITS))
	$(DEV) -m cxr.training.starter runs/starter models/starter

clean:
	rm -rf .venv .venv-dev .mypy_cache .pytest_cache .ruff_cache

# Each environment is made anew when what it should hold changes.
.venv/installed: requirements.txt
	$(PYTHON) -m venv --clear .venv
	$(SERVE) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv-dev/installed: requirements.txt requirements-train.txt requirements-dev.txt
	$(PYTHON) -m venv --clear .venv-dev
	$(DEV) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
