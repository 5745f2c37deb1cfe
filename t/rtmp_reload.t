#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# RTMP sessions over a reload: nobody is cut, who can reconnect is asked to,
# the old worker ends with its last session, worker_shutdown_timeout ends the
# sessions.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP qw/ num /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ stream rtmp /)->plan(13);

my $conf = <<'EOF';

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;
worker_shutdown_timeout 60s;

events {
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }
}

EOF

$t->write_file_expand('nginx.conf', $conf);
$t->run();

my $port = port(1935);

###############################################################################

my %old = map { $_ => 1 } $t->workers();

my $p = Test::RTMP->new($port, chunk => 4096)->connect('live');
$p->publish('reload');
$p->video(0, Test::RTMP::avc_config());
$p->video(0, Test::RTMP::avc_key(0, 300));

my $v = Test::RTMP->new($port)->connect('live');
$v->play('reload');

my $able = Test::RTMP->new($port)->connect('live', capsEx => num(1),
    tcUrl => "rtmp://127.0.0.1:$port/live");
$able->play('reload');

$_->read_video() for $v, $v, $able, $able;

$t->reload();

my $m = $able->status('NetConnection.Connect.ReconnectRequest');
ok($m, 'reconnect request');
is($m && $m->{info}{tcUrl}, "rtmp://127.0.0.1:$port/live",
    'reconnect request, tcUrl');
is($m && $m->{msid}, 0, 'reconnect request, message stream');

my $new = Test::RTMP->new($port)->connect('live');
$new->play('reload');
$new->read_video();
$new->read_video();

$p->video($_ * 40, Test::RTMP::avc_inter($_)) for 1 .. 50;

is(numbers($v), join(' ', 1 .. 50), 'player stays');
is(numbers($able), join(' ', 1 .. 50), 'player that was asked stays');
is(numbers($new), join(' ', 1 .. 50), 'new player of an old publisher');
ok(!grep({ ($_->{values}[0] || '') eq 'onStatus' } @{$v->{seen}}),
    'player that can not reconnect is not asked');

ok(grep({ $old{$_} } $t->all_workers()), 'old workers live on');

$_->close() for $p, $v, $able;

ok(wait_until(sub { !grep { $old{$_} } $t->all_workers() }, 5),
    'old workers end with their sessions');

$new->close();

# worker_shutdown_timeout

$conf =~ s/shutdown_timeout 60s/shutdown_timeout 1s/;
$t->write_file_expand('nginx.conf', $conf);
$t->reload();

$p = Test::RTMP->new($port)->connect('live');
$p->publish('cut');
$v = Test::RTMP->new($port)->connect('live');
$v->play('cut');
my $half = Test::RTMP->new($port, handshake => 'none');
$half->write_raw("\x03");

$t->reload();

ok($_->closed(10), 'worker_shutdown_timeout') for $p, $v, $half;

$v = Test::RTMP->new($port)->connect('live');
is($v->{connected}[0], '_result', 'new connection after that');
$v->close();

###############################################################################

sub numbers {
    my ($c) = @_;

    return join ' ', map { my $m = $c->read_video(5);
        $m ? Test::RTMP::number($m) : last } 1 .. 50;
}

###############################################################################
