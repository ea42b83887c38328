# What a person types, and what CI runs. `make` alone lists the targets; README.md explains them.
# Each target makes .venv where it is missing and installs only what it needs: a stamp per extra.

PYTHON      ?= python3
VENV        ?= .venv
VENV_ARGS   ?=
CONSTRAINTS ?= constraints.txt

DATA    ?=
WEIGHTS ?= imagenet
NANO_WEIGHTS ?= imagenet
FACE_API ?=
SUBSET  ?= balanced
SEED    ?= 7
LABELS  ?= fer2013
VOTES   ?=
RUN     ?= runs/$(SUBSET)$(if $(filter votes,$(LABELS)),-votes)
OUT     ?= $(RUN)/$(notdir $(RUN)).tflite
ARGS    ?=
SYSTEMS ?=
CLIPS   ?=
TESTS   ?=

BIN     := $(VENV)/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint $(CONSTRAINTS)
DEVICE  := $(VENV)/.stamp-device
TRAIN   := $(VENV)/.stamp-train
DEV     := $(VENV)/.stamp-dev

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo tour train models convert wheel addon arm64 score test check lint clean need-data

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

setup: $(DEVICE) ## install what the device needs into .venv
	@echo "ready: $(BIN)/mien --help"

demo: $(DEVICE) ## read two people's faces in a short clip; writes out/demo.mp4 and out/demo.jsonl
	@mkdir -p out
	@$(BIN)/mien run edge/mien/demo/clip.mp4 --video out/demo.mp4 --jsonl out/demo.jsonl $(ARGS)
	@echo "look at out/demo.mp4 (the clip with boxes and labels) and out/demo.jsonl (one line a frame)"

tour: need-data $(TRAIN) ## train, convert and use a small model in ten minutes: DATA= [WEIGHTS=]
	@BIN="$(BIN)" scripts/tour.sh "$(DATA)" "$(WEIGHTS)"

train: need-data $(TRAIN) ## train and evaluate; goes on where it was stopped: DATA= [WEIGHTS= SUBSET= LABELS= VOTES= RUN=]
	@$(BIN)/mien-train fit "$(DATA)" --subset "$(SUBSET)" --weights "$(WEIGHTS)" --seed $(SEED) \
	    --labels "$(LABELS)" $(if $(filter votes,$(LABELS)),--votes "$(VOTES)") \
	    --run "$(RUN)" --resume $(ARGS)
	@$(BIN)/mien-train evaluate "$(RUN)/model.keras" "$(DATA)" $(if $(VOTES),--votes "$(VOTES)")
	@echo "next: make convert RUN=$(RUN) DATA=$(DATA)"

models: need-data $(TRAIN) ## train the shipped models, four hours: DATA= VOTES= FACE_API= [WEIGHTS= NANO_WEIGHTS=]
	@test -n "$(VOTES)" -a -n "$(FACE_API)" || { echo "mien: name FER+'s votes and face-api's folder:" \
	    "make models DATA=fer2013.zip VOTES=fer2013new.csv FACE_API=package/model (docs/training.md)." >&2; exit 2; }
	@BIN="$(BIN)" scripts/recipe.sh "$(DATA)" "$(VOTES)" "$(FACE_API)" "$(WEIGHTS)" "$(NANO_WEIGHTS)"
	@for name in mien mien-nano; do $(BIN)/mien-convert "runs/models/$$name/model.keras" "$(DATA)" \
	    --votes "$(VOTES)" --labels votes || exit; done
	@$(BIN)/mien-convert runs/models/mien-fer2013/model.keras "$(DATA)" --votes "$(VOTES)"

convert: need-data $(TRAIN) ## make a trained model int8, check and pack it: DATA= [RUN= OUT=]
	@$(BIN)/mien-convert "$(RUN)/model.keras" "$(DATA)" --out "$(OUT)" $(ARGS)
	@echo "try it: $(BIN)/mien run edge/mien/demo/clip.mp4 --model $(OUT)"

wheel: $(DEVICE) ## build dist/mien-*.whl, which holds the model and needs no compiler on the Pi
	@rm -rf build dist/mien-*.whl
	@$(BIN)/python -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir dist .
	@rm -rf build
	@ls dist/mien-*.whl

addon: wheel ## build out/addon/mien: copy it into Home Assistant's folder addons
	@rm -rf out/addon && mkdir -p out/addon
	@cp -r addons/mien out/addon/mien
	@cp constraints.txt dist/mien-*.whl out/addon/mien/
	@echo "copy out/addon/mien to /addons of Home Assistant, then install it under local add-ons"

arm64: wheel ## try installer, device's tests and logits on emulated Arm, an hour: [SYSTEMS=trixie ARM= TESTS=]
	@code=0; WHEEL=$$(ls dist/mien-*.whl) PYTHON=$(abspath $(BIN)/python) TESTS="$(TESTS)" \
	    scripts/try-arm64.sh --tests $(SYSTEMS) || code=$$?; \
	    $(BIN)/python scripts/arm64/logits.py compare out/arm64 $(ARGS) && exit $$code

score: $(TRAIN) ## score detection and tracking on clips and stills with known faces: CLIPS= [ARGS="--detector haar --json"]
	@test -n "$(CLIPS)" || { echo "mien: name the folder: make score CLIPS=bench/dev (docs/detection.md)." >&2; exit 2; }
	@$(BIN)/mien-train score "$(CLIPS)" $(ARGS)

test: $(TRAIN) $(DEV) ## run all tests, on every core; ARGS are pytest's
	@$(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

check: lint ## lint and the quick tests of the device and the data, for work in between; ARGS are pytest's
	@$(BIN)/python -m pytest -n auto -m "not slow" tests/edge tests/train/data $(ARGS)

lint: $(DEV) ## check style, types and which package may import which
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache

clean: ## remove all that was made, except runs/ (training costs hours)
	@rm -rf $(VENV) out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -not -path './runs/*' -prune -exec rm -rf {} +

need-data:
	@test -n "$(DATA)" || { echo "mien: say where FER-2013 is: make $(MAKECMDGOALS) DATA=fer2013.zip" \
	    "(the Kaggle data set msambare/fer2013 as downloaded, or the ICML 2013 challenge's fer2013.csv)." >&2; exit 2; }
	@test -e "$(DATA)" || { echo "mien: there is no $(DATA): give DATA the path of FER-2013's zip, folder or csv." >&2; exit 2; }

$(VENV)/.stamp-venv: scripts/venv.sh
	@scripts/venv.sh "$(PYTHON)" "$(VENV)" $(VENV_ARGS)
	@touch $@

$(DEVICE): $(VENV)/.stamp-venv pyproject.toml $(CONSTRAINTS)
	@echo "installing the device's packages into $(VENV) (some 100 MB)"
	@$(INSTALL) --editable '.[web,mqtt]'
	@$(BIN)/python -c 'import cv2' || { echo "mien: OpenCV lacks a system library:" \
	    "sudo apt install libgl1 libglib2.0-0" >&2; exit 2; }
	@touch $@

$(TRAIN): $(DEVICE)
	@echo "installing what training needs (TensorFlow, some 700 MB: minutes)"
	@$(INSTALL) --editable '.[train]'
	@touch $@

$(DEV): $(DEVICE)
	@echo "installing what the checks need"
	@$(INSTALL) --editable '.[dev,web,mqtt]'
	@touch $@
