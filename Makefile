# SPDX-License-Identifier: GPL-2.0-only
# Dispatches only: Kbuild builds the modules, userspace/ the programs, tests/ the rest.

ifneq ($(words $(CURDIR)),1)
$(error the path of this directory has spaces in it, which make cannot build in)
endif

KERNELRELEASE_WANTED ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KERNELRELEASE_WANTED)/build
HOST ?= kvm
KERNEL ?= 6.12
APPEND ?=
PREFIX ?= /usr
DESTDIR ?=
BENCH ?=
LAB := tests/lab/lab

all: userspace modules

help:
	@echo 'Build (needs no root):'
	@echo '  all              userspace and modules'
	@echo '  modules          hybrid.ko for KDIR ($(KDIR))'
	@echo '  userspace        hybridctl, migrate-notify and its library, into build/userspace'
	@echo '  install          all of that with man pages, and the modules; DESTDIR, PREFIX'
	@echo '  clean            remove what was built here (the lab keeps its images)'
	@echo 'Look and test (the lab needs root on Debian 12 or 13; installs what is missing):'
	@echo '  demo             hybridctl status inside a KVM guest and a Xen guest'
	@echo '  check            everything: user space, KUnit, every host, kernel and variant'
	@echo '  bench            exits and time polled, with the suite and without; BENCH="--quick ..."'
	@echo '  check-user       only what needs neither root nor the lab'
	@echo '  measure          what libmigrate-notify costs here, and what CPU features gain'
	@echo '  shell            a shell in a guest; HOST=bare|kvm|xen KERNEL=6.1|6.12 APPEND=nopv'
	@echo '  images           build the images of the lab that are missing'
	@echo '  deps             install the packages that building and testing need'

modules:
	@test -d $(KDIR) || { \
		echo "no kernel headers at $(KDIR)."; \
		echo "Install the package linux-headers-$(KERNELRELEASE_WANTED), or name others:"; \
		echo "make modules KDIR=/lib/modules/VERSION/build"; exit 1; } >&2
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

modules_install: modules
	$(MAKE) -C $(KDIR) M=$(CURDIR) $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install

userspace:
	$(MAKE) -C userspace

install: userspace modules_install
	$(MAKE) -C userspace install DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)

deps:
	@tests/deps.sh install

demo:
	@tests/demo.sh

check:
	@tests/check.sh all

bench:
	@tests/deps.sh install
	@$(LAB) bench $(BENCH)

check-user:
	@tests/check.sh user

measure: userspace
	@userspace/tests/mn/measure.sh build/userspace

shell:
	@$(LAB) shell --host $(HOST) --kernel $(KERNEL) --append '$(APPEND)'

images:
	@$(LAB) images

clean:
	rm -rf build
	@test ! -d $(KDIR) || $(MAKE) -C $(KDIR) M=$(CURDIR) clean

.PHONY: all help modules modules_install userspace install deps demo check bench check-user shell \
	images clean
