#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The built modules: any of them alone and in any order brings the core along;
# what cannot work is refused in one line.  make builds again only what has
# changed, and as a normal user.

use warnings;
use strict;

use Test::More;

use Cwd qw/ abs_path /;
use File::Basename qw/ basename dirname /;
use File::Temp qw/ tempdir /;

my $root;

BEGIN { $root = abs_path(dirname(__FILE__) . '/..'); }

use lib "$root/t/lib";
use Test::Nginx;

###############################################################################

plan(skip_all => 'not a dynamic build') if $ENV{TEST_NGINX_STATIC};

my $objs = $ENV{TEST_NGINX_OBJS} || "$root/objs";

my $t = Test::Nginx->new()->has(qw/http stream/);

my ($stream) = $t->load_modules('rtmp')
    =~ /^(load_module \S*ngx_stream_module.so;)/;
my %so = map { basename($_, '.so') => "load_module $_;" }
    glob "$objs/ngx_*.so";
my $core = $so{ngx_media_core_module};
my @others = sort grep { !/core/ } keys %so;

ok($so{$_}, "$_.so") for qw/ ngx_media_core_module ngx_stream_rtmp_module
    ngx_http_flv_live_module ngx_http_hls_module /;

# loading

sub load {
    my (@lines) = @_;

    $t->write_file('load.conf', join "\n", grep({ defined } @lines),
        'pid ' . $t->testdir() . '/load.pid;', 'events { }',
        'http { ' . $t->test_globals_http() . '}', '');
    return $t->test_config('load.conf');
}

sub accepted {
    my ($name, @lines) = @_;
    my ($status, $text) = load(@lines);
    is($status, 0, $name) or diag($text);
}

sub refused {
    my ($name, $why, @lines) = @_;
    my ($status, $text) = load(@lines);
    isnt($status, 0, $name);
    like($text, $why, "$name: why");
}

accepted('the core alone', $core);

for my $name (@others) {
    accepted("$name alone", $stream, $so{$name});
    accepted("the core, then $name", $stream, $core, $so{$name});
    refused("$name, then the core", qr/is already loaded/, $stream,
        $so{$name}, $core);
}

accepted('all', $stream, map { $so{$_} } @others);
accepted('all, backwards', $stream, map { $so{$_} } reverse @others);

accepted('flv_live without the stream module', $so{ngx_http_flv_live_module});

SKIP: {
    skip 'the stream module is built in', 2 unless $stream;

    refused('rtmp without the stream module', qr/ngx_stream/,
        $so{ngx_stream_rtmp_module});
}

# linking

for my $name (@others) {
    my $dynamic = `readelf -d $objs/$name.so`;

    like($dynamic, qr/NEEDED.*\[ngx_media_core_module\.so\]/,
        "$name is linked with the core");
    like($dynamic, qr/RUNPATH.*\[\$ORIGIN\]/, "$name finds it beside itself");
}

# building

my $src = $ENV{NGINX_SRC} || '/usr/share/nginx/src';
my ($file) = glob "$root/shared/proto/*.c";

my $plan = `make -f $objs/Makefile -C $src -n modules 2>&1`;

is(join(' ', $plan =~ m!-o (\S+)!g), '', 'nothing to build');

$plan = `make -f $objs/Makefile -C $src -n -W $file modules 2>&1`;

is(join(' ', map { basename($_) } $plan =~ m!-o (\S+\.o)\b!g),
    basename($file, '.c') . '.o', 'one changed file builds one object');

SKIP: {
    skip 'not root', 1 if $> != 0;
    skip 'nobody cannot read the tree', 1
        if system("runuser -u nobody -- test -r $root/Makefile");

    my $out = tempdir('nginx-test-build-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    chmod 0777, $out;

    my $text = `runuser -u nobody -- \\
        make -C $root modules OBJS=$out/objs 2>&1`;

    is($?, 0, 'a normal user builds') or diag($text);
}

done_testing();

###############################################################################
