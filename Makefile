# Copyright (C) the nginx media suite authors
#
# make                builds the modules for the nginx of this system
# make run, stop      starts and stops a media server with conf/nginx.conf
# make console        gets the libraries of its console from npm
# make test           builds and tests everything
#
# Variables: OBJS=DIR, CC=..., CFLAGS=..., LDFLAGS=...
# NGINX_SRC=DIR builds for another source tree of nginx, configured with
# NGX_FLAGS="..."; "nginx -V" of that nginx shows its flags.

SHELL = /bin/bash

NGINX_SRC ?= /usr/share/nginx/src
NGINX_BINARY ?= /usr/sbin/nginx
DESTDIR ?=
MODULES_DIR ?= /usr/lib/nginx/modules

OBJS ?= objs
CC ?= cc
CFLAGS ?= -g -O2 -fstack-protector-strong -Wformat -Werror=format-security \
	-D_FORTIFY_SOURCE=2
LDFLAGS ?= -Wl,-z,relro -Wl,-z,now

# What Debian's conf_flags leave out, and what another tree is given where
# NGX_FLAGS says nothing.

STREAM_FLAGS = --with-stream --with-stream_ssl_module \
	--with-stream_realip_module --with-stream_ssl_preread_module
NGX_FLAGS ?= --with-compat --with-debug --with-threads \
	--with-http_ssl_module --with-http_v2_module \
	--with-http_realip_module --with-http_auth_request_module \
	--with-http_secure_link_module --with-http_stub_status_module \
	--with-http_sub_module --with-http_addition_module \
	--with-http_gunzip_module --with-http_gzip_static_module \
	--with-http_dav_module --with-http_slice_module \
	$(STREAM_FLAGS)

ROOT := $(CURDIR)
override OBJS := $(abspath $(OBJS))

JOBS ?= 2

# How the modules are added, and what is then made of nginx's makefile.

ADD ?= --add-dynamic-module
GOAL ?= modules

# Headers of libraries that optional modules need.

OPTIONAL = librdkafka/rdkafka.h

BUILD_DEPS = nginx libnginx-mod-stream nginx-dev gcc libc6-dev libssl-dev \
	ca-certificates libcurl4-openssl-dev libpcre2-dev zlib1g-dev \
	libsrt-openssl-dev
TEST_DEPS = $(BUILD_DEPS) perl libio-socket-ssl-perl ffmpeg clang binutils \
	curl openssl dpkg-dev librdkafka-dev srt-tools $(CLIENT_DEPS)

# npm may have come with another package than Debian's

CLIENT_DEPS = $(filter-out $(if $(shell command -v npm),npm), \
	$(file < t/client/packages.txt))


default: modules


# The inputs of configure: they are compared, not only dated, so that a new
# source file or another compiler configures again and nothing else does.

modules:
	@mkdir -p $(OBJS)
	@flock $(OBJS)/.lock $(MAKE) --no-print-directory OBJS=$(OBJS) \
		.modules

.modules:
	@{ cat config config.make shared/config ngx_*_module/config \
		shared/optional/*/config; \
	   ls shared/*/*.[ch] shared/optional/*/*.[ch] ngx_*_module/*.[ch]; \
	   for h in $(OPTIONAL); do \
	       echo "#include <$$h>" | $(CC) -E -x c - > /dev/null 2>&1 \
	       && echo $$h; \
	   done; \
	   ls -l --time-style=+%s $(NGINX_SRC)/src/core/nginx.h; \
	   echo '$(ROOT) $(NGINX_SRC) $(CC)'; \
	   echo '$(CFLAGS) $(LDFLAGS) $(NGX_FLAGS) $(ADD)'; \
	 } > $(OBJS)/.inputs.new
	@if cmp -s $(OBJS)/.inputs.new $(OBJS)/.inputs \
	     && [ -f $(OBJS)/Makefile ]; \
	 then rm $(OBJS)/.inputs.new; \
	 else rm -f $(OBJS)/.inputs && $(configure) \
	      && mv $(OBJS)/.inputs.new $(OBJS)/.inputs; fi
	@$(MAKE) --no-print-directory -ks -j$(JOBS) -f $(OBJS)/Makefile \
		-C $(NGINX_SRC) $(GOAL) > $(OBJS)/make.log 2>&1 \
	 || { cat $(OBJS)/make.log; exit 1; }
	@ls $(OBJS)/nginx $(OBJS)/*.so 2>/dev/null || true

configure = ( \
	cd $(NGINX_SRC) && NGX_CONF_FLAGS=($(NGX_FLAGS)) \
	&& if [ -f conf_flags ]; \
	   then . ./conf_flags; NGX_CONF_FLAGS+=($(STREAM_FLAGS)); fi \
	&& if [ -x configure ]; \
	   then c=./configure; else c=auto/configure; fi \
	&& if ! $$c --with-cc='$(CC)' --with-cc-opt='$(CFLAGS) -fPIC' \
		--with-ld-opt='$(LDFLAGS) -fPIC' "$${NGX_CONF_FLAGS[@]}" \
		$(ADD)=$(ROOT) --builddir=$(OBJS) \
		> $(OBJS)/configure.log 2>&1; \
	   then tail -20 $(OBJS)/configure.log; exit 1; fi )


# The server of conf/nginx.conf.  Its workers are www-data where root starts
# it and www-data may enter this directory.

RUN = $(ROOT)/objs/run
NGINX = $(NGINX_BINARY) -p $(ROOT)/ -c conf/nginx.conf -e $(RUN)/error.log

run: deps modules stop
	@mkdir -p $(RUN)/html
	@$(MAKE) --no-print-directory console \
	 || echo 'the console has no players then: make console tries again'
	@user=; if [ $$(id -u) = 0 ]; then user='user www-data;'; \
	    runuser -u www-data -- test -x $(RUN) || user='user root;'; fi; \
	 $(NGINX) -g "$$user"
	@echo 'publish  rtmp://localhost:1935/live/STREAM'
	@echo '         srt://localhost:10080?streamid=#!::r=live/STREAM,m=publish'
	@echo '         udp://localhost:8935 (MPEG-TS), which is live/udp'
	@echo 'play     rtmp://localhost:1935/live/STREAM'
	@echo '         srt://localhost:10080?streamid=#!::r=live/STREAM,m=request'
	@echo '         http://localhost:8080/live/STREAM.flv and .m3u8'
	@echo 'console  http://localhost:8080/console/'
	@echo 'API      http://localhost:1985/api/v1/summaries'
	@echo 'log      $(RUN)/error.log; make stop ends it'

stop:
	@[ ! -s $(RUN)/nginx.pid ] || ! pid=$$(cat $(RUN)/nginx.pid) \
	 || ! kill -TERM $$pid 2>/dev/null \
	 || for i in {1..100}; do \
	     kill -0 $$pid 2>/dev/null || break; sleep 0.1; done


# What the console takes from npm, by the lock file: a few files beside it, not
# committed.

VENDOR = hls.js/dist/hls.min.mjs hls.js/dist/hls.worker.js \
	mpegts.js/dist/mpegts.js qrcode-generator/dist/qrcode.mjs

console:
	@cd console && ! cmp -s package-lock.json vendor/package-lock.json \
	 || exit 0; \
	 command -v npm > /dev/null || { echo 'npm is needed'; exit 1; }; \
	 d=$(OBJS)/console; mkdir -p $$d vendor \
	 && cp package.json package-lock.json .npmrc $$d/ \
	 && { (cd $$d && timeout 120 npm ci --ignore-scripts) \
	      > $$d/npm.log 2>&1 < /dev/null \
	      || { tail -5 $$d/npm.log; exit 1; }; } \
	 && for f in $(VENDOR); do \
	        cp $$d/node_modules/$$f vendor/ || exit 1; done \
	 && cp package-lock.json vendor/


# What Debian packages are missing is installed, by root or through sudo.

deps: PACKAGES = $(BUILD_DEPS)
test-deps: PACKAGES = $(TEST_DEPS)
soak-deps: PACKAGES = $(TEST_DEPS) valgrind

deps test-deps soak-deps:
	@missing=$$(for p in $(PACKAGES); do \
	    dpkg-query -W -f='$${Status}' $$p 2>/dev/null \
	    | grep -q 'ok installed' || echo $$p; done); \
	 [ -z "$$missing" ] || { \
	    sudo=; [ $$(id -u) = 0 ] || sudo='sudo -n'; \
	    apt="$$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq \
	        -o DPkg::Lock::Timeout=600"; \
	    echo "installing" $$missing; \
	    log=$$({ $$apt update && $$apt install -y \
	        --no-install-recommends $$missing; } 2>&1) \
	    || { echo "$$log"; echo "install by hand:" $$missing; exit 1; }; }


# Tests.  FUZZ_TIME is per target, of `make fuzz`.

FUZZ_TIME ?= 600

unit:
	@$(MAKE) --no-print-directory -ks -j$(JOBS) -f t/tools/unit.mk units \
		OBJS=$(OBJS)
	@FUZZ_SECONDS=1 TEST_NGINX_OBJS=$(OBJS) prove t/02-units.t

fuzz:
	@$(MAKE) --no-print-directory -ks -j$(JOBS) -f t/tools/unit.mk \
		fuzzers OBJS=$(OBJS)
	@for t in $(OBJS)/unit/fuzz/*_fuzz; do \
	    n=$${t##*/}; c=$(OBJS)/fuzz/$$n; mkdir -p $$c; \
	    kept=t/fuzz/corpus/$${n%_fuzz}; [ -d $$kept ] || kept=; \
	    $$t -max_total_time=$(FUZZ_TIME) -timeout=10 \
	        -artifact_prefix=$(OBJS)/fuzz/$$n- $$c $$kept \
	        > $$c.log 2>&1 || { tail -40 $$c.log; exit 1; }; \
	    tail -1 $$c.log; \
	 done


# Programs that tests need.

tools: $(OBJS)/tools/impair

$(OBJS)/tools/%: t/tools/%.c
	@mkdir -p $(@D)
	@$(CC) -O2 -g -Wall -Wextra -Werror -o $@.$$$$ $< && mv -f $@.$$$$ $@


# Everything.

TESTS ?= $(sort $(wildcard t/*.t)) $(sort $(wildcard t/client/*.t))

test: test-deps modules tools
	@TEST_NGINX_OBJS=$(OBJS) TEST_NGINX_MODULES=$(OBJS) \
		t/tools/run-tests $(OBJS) $(TESTS)


# nginx itself, from Debian's source package, with the modules, under
# AddressSanitizer and UBSan; then the suite with it.  nginx's pools are made
# to allocate every piece apart, otherwise they hide overruns.

SUITE ?= bookworm
SANITIZE = -fsanitize=address,undefined
SANITIZE_CFLAGS = -g -O1 -fno-omit-frame-pointer -Wno-error $(SANITIZE) \
	-DNGX_DEBUG_PALLOC=1

sanitize-build:
	@src=$$(t/tools/nginx-source $(SUITE) $(OBJS)/src) \
	 && $(MAKE) --no-print-directory modules GOAL=build NGINX_SRC=$$src \
	    OBJS=$(OBJS)/sanitize CFLAGS='$(SANITIZE_CFLAGS)' \
	    LDFLAGS='$(SANITIZE)'

sanitize: test-deps sanitize-build
	@SANITIZE_TESTS=all TEST_NGINX_OBJS=$(OBJS) prove -v t/90-sanitize.t


# The newer versions of nginx too, modules dynamic and static, and a smoke
# test with each.

MATRIX ?= bookworm trixie sid

matrix: test-deps
	@left=; for suite in $(MATRIX); do \
	    src=$$(t/tools/nginx-source $$suite $(OBJS)/src) \
	        || { left+=" $$suite"; continue; }; \
	    for add in dynamic-module module; do \
	        out=$(OBJS)/matrix/$$suite-$$add; \
	        echo "$$suite $$(sed -n 's/.*NGINX_VERSION  *//p' \
	            $$src/src/core/nginx.h) --add-$$add"; \
	        $(MAKE) --no-print-directory modules GOAL=build OBJS=$$out \
	            NGINX_SRC=$$src ADD=--add-$$add CFLAGS='-g -O1' LDFLAGS= \
	            > /dev/null || exit 1; \
	        static=; [ $$add = dynamic-module ] || static=1; \
	        TEST_NGINX_BINARY=$$out/nginx TEST_NGINX_MODULES=$$out \
	        TEST_NGINX_STATIC=$$static TEST_NGINX_NOSKIP=1 \
	        prove -It/lib t/smoke.t || exit 1; \
	    done; \
	 done; [ -z "$$left" ] || echo "left out, no source to be had:$$left"


# The long measurements: a thousand players of each kind under reloads, kills
# and upgrades, real clients, valgrind.  Each test takes SOAK_TIME seconds and
# what it needs to begin and end; SOAK picks some.

SOAK ?= $(sort $(wildcard t/soak/*.t))
SOAK_TIME ?= 60

soak: soak-deps modules
	@TEST_SOAK=$(SOAK_TIME) TEST_NGINX_OBJS=$(OBJS) \
		TEST_NGINX_MODULES=$(OBJS) prove -v --exec 'perl -It/lib' $(SOAK)


# The cost of players and publishers against the floor and against a peer;
# BENCH="--long ..." are the options of t/bench/run.pl.

bench: test-deps modules
	@perl t/bench/run.pl --objs $(OBJS) --nginx $(NGINX_BINARY) $(BENCH)


# What needs no run: the gates, and the warnings of the other compiler.

lint: test-deps modules
	@$(MAKE) --no-print-directory modules CC=clang OBJS=$(OBJS)/clang
	@TEST_NGINX_OBJS=$(OBJS) prove -v t/00-gates.t


# Only the name of a new .so appears: the old file may be mapped by a
# running nginx and must never be written over.

install: modules
	@mkdir -p $(DESTDIR)$(MODULES_DIR)
	@for so in $(OBJS)/*.so; do \
	    to=$(DESTDIR)$(MODULES_DIR)/$${so##*/}; \
	    install -m 644 $$so $$to.new && mv -f $$to.new $$to \
	    && echo $$to; \
	 done


clean:
	rm -rf $(OBJS) console/vendor


.PHONY: default modules .modules run stop console deps test-deps soak-deps \
	tools test unit fuzz sanitize sanitize-build matrix soak bench lint \
	install clean
