# Copyright (C) the nginx media suite authors
#
# Included by the Makefile:
#
# make bench          costs against the floor and against libnginx-mod-rtmp
# make load-tool      builds objs/bench/ngx_media_load
#
# Variable: BENCH="..." are options of t/bench/run.pl, such as --long

load-tool:
	@t/bench/build.sh $(OBJS)/bench

bench: modules load-tool
	@t/bench/run.pl --objs $(OBJS) --nginx $(NGINX_BINARY) $(BENCH)

.PHONY: bench load-tool
