# What `sam build` makes of a function or of the layer, whose sources are in the current folder:
# the sources, their requirements, and byte code for all of it, which halves the start of a
# Lambda process. Unchecked, as packing changes the time stamps that would otherwise vouch for it.
# `sam build` knows nothing of this file: after a change here, `sam build --no-cached`.

HERE := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
PLATFORMS := manylinux_2_28_$(MACHINE) manylinux_2_17_$(MACHINE) manylinux2014_$(MACHINE)
# From the project, where pyenv and its like find out which python3.13 is meant.
PYTHON := cd $(HERE) && python3.13

target = $(ARTIFACTS_DIR)
build-BillingLayer: target = $(ARTIFACTS_DIR)/python
# A function of several modules keeps its place in the project, so that they have one name each.
sources = $(target)
build-DocumentsFunction: sources = $(target)/functions/documents

# The languages of documents: of babel's data for a thousand locales the function takes only theirs.
LANGUAGES := en es

.SILENT:
build-%:
	mkdir -p $(sources)
	cp -R . $(sources)
	find $(target) -name __pycache__ -prune -exec rm -r {} +
	if [ -e requirements.txt ]; then \
		$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-compile \
			--require-hashes --requirement $(CURDIR)/requirements.txt --target $(target) \
			--only-binary :all: $(PLATFORMS:%=--platform %) --python-version 3.13; \
	fi
	if [ -d $(target)/babel ]; then \
		find $(target)/babel/locale-data -name '*.dat' ! -name root.dat \
			$(foreach language,$(LANGUAGES),! -name $(language).dat ! -name '$(language)_*.dat') -delete; \
	fi
	$(PYTHON) -m compileall -q -j 0 -s $(target) --invalidation-mode unchecked-hash $(target)
