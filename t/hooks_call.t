#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Hooks that others raise: on_dvr and on_forward, called by a module of the
# test's own, t/hook, which is built here.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Hook;
use Test::RTMP;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'not a dynamic build') if $ENV{TEST_NGINX_STATIC};

my $t = Test::Nginx->new()->has(qw/ http stream rtmp /);

my $objs = $ENV{TEST_NGINX_MODULES} || "$Test::Nginx::ROOT/objs";
my $dir = $t->testdir();

# built as the modules were: with what their makefile says

open my $fh, '<', "$objs/.inputs" or die "$objs/.inputs: $!\n";
my ($src) = do { local $/; <$fh> } =~ m!^/\S+ (/\S+) !m;

$t->write_file('try.mk', <<"END_OF_MAKE");
include $objs/Makefile

$dir/try.so: $Test::Nginx::ROOT/t/hook/ngx_http_hook_try_module.c
	\@\$(CC) \$(CFLAGS) -shared -o \$@ \$(ALL_INCS) \$<
END_OF_MAKE

my $text = `make -s -C $src -f $dir/try.mk $dir/try.so 2>&1`;

is($?, 0, 'the module of this test builds') or BAIL_OUT($text);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

load_module %%TESTDIR%%/try.so;

daemon off;
worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
    publish_timeout 60s 60s;

    on_dvr http://127.0.0.1:8085/dvr;

    application forward {
        hook_retry 1;
        hook_timeout 500ms;
        on_forward http://127.0.0.1:8085/a http://127.0.0.1:8085/b;
    }

    application oryx {
        hook_format oryx;
    }

    application form {
        hook_format rtmp;
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location /try {
            hook_try;
        }

        location /api/ {
            media_api;
        }
    }
}

EOC

my $hook = Test::Nginx::Hook->new($t, port(8085));

$t->run();

my @publishers = map {
    my ($app, $name) = @$_;
    my $c = Test::RTMP->new(port(1935))->connect($app);
    $c->publish("$name?secret=s");
    $c;
} [qw/ live l /], [qw/ forward f /], [qw/ oryx o /], [qw/ form r /];

my ($r);

###############################################################################

# on_dvr

is(call('dvr', 'l'), '/recordings/x.mp4', 'a recording');

($r) = $hook->wait_for('/dvr', 1);

is(join(' ', map { $_->[0] } @{$r->{fields}}), 'server_id service_id action '
    . 'client_id ip vhost app tcUrl stream param cwd file stream_url '
    . 'stream_id', 'on_dvr');
is(scalar(grep { $_->[1] !~ /^"/ } @{$r->{fields}}), 0, 'all strings');
is($r->{json}{action}, 'on_dvr', 'action');
is($r->{json}{file}, '/recordings/x.mp4', 'file');
is($r->{json}{param}, '?secret=s', 'param');
like($r->{json}{cwd}, qr!^/!, 'cwd');

call('dvr', 'o');
($r) = grep { $_->{json}{request_id} } $hook->wait_for('/dvr', 2);

is(join(' ', map { $_->[0] } @{$r->{fields}}), 'request_id action opaque '
    . 'vhost app stream uuid artifact_code artifact_path artifact_url',
    'of Oryx');
is($r->{json}{action}, 'on_record_end', 'action');
is($r->{json}{artifact_path}, '/recordings/x.mp4', 'file');

call('dvr', 'r');
($r) = grep { $_->{form}{call} } $hook->wait_for('/dvr', 3);

is($r->{form}{call}, 'record_done', 'of nginx-rtmp');
is($r->{form}{path}, '/recordings/x.mp4', 'file');
is($r->{form}{secret}, 's', 'arguments');

# on_forward

is(call('forward', 'l'), 'nothing', 'nothing is configured');

$hook->answer('/a', body => '{"code":0,"data":{"urls":["rtmp://a","rtmp://b"]}}');
$hook->answer('/b', body => '{"code":0,"data":{"urls":["rtmp:\/\/c"]}}');

is(call('forward', 'f'), 'rc=0 rtmp://a rtmp://b rtmp://c', 'targets');

($r) = $hook->requests('/a');

is(join(' ', map { $_->[0] } @{$r->{fields}}), 'action server_id service_id '
    . 'client_id ip vhost app tcUrl stream param', 'on_forward');
is($r->{json}{action}, 'on_forward', 'action');
is($r->{json}{stream}, 'f', 'stream');

$hook->answer('/a')->answer('/b');
is(call('forward', 'f'), 'rc=0', 'no targets');

$hook->answer('/b', body => '{"code":1,"data":{"urls":["rtmp://c"]}}');
is(call('forward', 'f'), 'rc=-5', 'a refusal');

$hook->forget()->answer('/a', status => 502);
is(call('forward', 'f'), 'rc=-1', 'no answer');
is(scalar($hook->requests('/a')), 2, 'tries');

$hook->answer('/a', delay => 3);
is(call('forward', 'f'), 'rc=-1', 'none in time');
is(call('cancel', 'f'), 'cancelled', 'nobody waits');

$hook->stop();
is(call('forward', 'f'), 'rc=-1', 'nobody is there');

$_->close() for @publishers;
$t->stop();

###############################################################################

sub call {
    my ($what, $stream) = @_;

    return http_content(http_get("/try?what=$what&stream=$stream"));
}

###############################################################################

done_testing();

###############################################################################
